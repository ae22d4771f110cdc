"""The nearest peer by install and language: ministack, S3 -> SQS -> Lambda -> SNS -> HTTP, model inside the handler.

It has no model endpoint, so its handler loads the same model itself, which saves it two hops. The queue between
bucket and function is its best case: triggered directly it drops events when throttled.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench import ours
from bench.pipeline.load import Put, over_http
from bench.pipeline.receiver import Receiver
from bench.servers import free_port, heard, server
from bench.venvs import MINISTACK

PEERS = Path(__file__).resolve().parents[1] / "peers"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def running(folder: Path, model: Path, receiver: Receiver, more: Mapping[str, str]) -> Iterator[tuple[int, Put]]:
    """ministack with bucket, queue, function (two at a time, batches of ten) and topic."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        **KEYS,
        "SERVICES": "s3,sns,sqs,lambda,iam,logs,sts",
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
    }
    health = heard(f"{url}/_ministack/health")
    with server([MINISTACK.bin / "ministack"], folder / "ministack.log", health, env=environment) as pid:
        _set_up(url, model, receiver, more)

        def head(key: str, body: bytes) -> bytes:
            return ours.signed(url, KEYS, "PUT", f"/pictures/{key}", "s3", body, **{"Content-Type": "image/jpeg"})

        yield pid, over_http(url, head)


def _set_up(url: str, model: Path, receiver: Receiver, more: Mapping[str, str]) -> None:
    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
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
                "AWS_ENDPOINT_URL": url,
                **more,
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


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("ministack_handler.py", "classify.py"):
            archive.write(PEERS / name, name)
    return buffer.getvalue()
