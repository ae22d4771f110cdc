"""The nearest peer by install and language: ministack, S3 -> SQS -> Lambda -> SNS -> HTTP, model inside the handler.

It has no model endpoint, so its handler loads the same model itself, which saves it two hops. The queue between
bucket and function is its best case: triggered directly it drops events when throttled.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench.pipeline.load import PUTTERS, Put
from bench.pipeline.receiver import Receiver
from bench.servers import free_port, heard, server
from bench.venvs import MINISTACK

PEERS = Path(__file__).resolve().parents[1] / "peers"


@contextmanager
def running(folder: Path, model: Path, receiver: Receiver) -> Iterator[tuple[int, Put]]:
    """ministack with bucket, queue, function (two at a time, batches of ten) and topic."""
    port = free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SERVICES": "s3,sns,sqs,lambda,iam,logs,sts",
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
    }
    health = heard(f"http://127.0.0.1:{port}/_ministack/health")
    with server([MINISTACK.bin / "ministack"], folder / "ministack.log", health, env=environment) as pid:
        s3 = _set_up(port, model, receiver)

        def put(key: str, body: bytes) -> None:
            s3.put_object(Bucket="pictures", Key=key, Body=body, ContentType="image/jpeg")

        yield pid, put


def _set_up(port: int, model: Path, receiver: Receiver) -> Any:
    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
            config=Config(max_pool_connections=PUTTERS * 2, s3={"addressing_style": "path"}),
        )

    s3, sns, sqs, functions = (client(name) for name in ("s3", "sns", "sqs", "lambda"))
    s3.create_bucket(Bucket="pictures")
    topic = sns.create_topic(Name="sightings")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
    if not receiver.confirmed.wait(20):
        raise TimeoutError("the subscription was not confirmed")
    queue = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create_function(
        FunctionName="classify",
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="ministack_handler.handler",
        Code={"ZipFile": _package()},
        Timeout=60,
        MemorySize=1024,
        Environment={
            "Variables": {
                "SNS_TOPIC_ARN": topic,
                "MODEL": str(model),
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            }
        },
    )
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "birds/"}]}}
    configuration = {"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"], "Filter": rule}
    s3.put_bucket_notification_configuration(
        Bucket="pictures", NotificationConfiguration={"QueueConfigurations": [configuration]}
    )
    functions.create_event_source_mapping(
        FunctionName="classify", EventSourceArn=queue_arn, BatchSize=10, ScalingConfig={"MaximumConcurrency": 2}
    )
    return s3


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("ministack_handler.py", "classify.py"):
            archive.write(PEERS / name, name)
    return buffer.getvalue()
