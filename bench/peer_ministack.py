"""The nearest peer by install and language: ministack, S3 -> SQS -> Lambda -> SNS -> HTTP, model inside the handler.

It has no model endpoint, so its handler loads the same model itself, which saves it two hops. The queue between
bucket and function is its best case: triggered directly it drops events when throttled.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from load import PUTTERS, Put
from ours import EXAMPLE, unpack_model
from receiver import Receiver

VERSION = "1.5.33"
HERE = Path(__file__).parent
VENV = HERE.parent / ".venv-bench" / "ministack"
REQUIREMENTS = [f"ministack[full]=={VERSION}", "boto3", "onnxruntime", "pillow", "numpy"]


def install() -> None:
    """A venv of its own, once."""
    if (VENV / "done").exists():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin" / "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    (VENV / "done").touch()


@contextmanager
def running(folder: Path, receiver: Receiver) -> Iterator[Put]:
    """ministack with bucket, queue, function (two at a time, batches of ten) and topic."""
    install()
    port = _free_port()
    environment = {
        "PATH": f"{VENV / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SERVICES": "s3,sns,sqs,lambda,iam,logs,sts",
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
    }
    with (folder / "ministack.log").open("w") as log:
        process = subprocess.Popen(
            [VENV / "bin" / "ministack"], env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        _wait(port)
        s3 = _set_up(port, folder, receiver)

        def put(key: str, body: bytes) -> None:
            s3.put_object(Bucket="pictures", Key=key, Body=body, ContentType="image/jpeg")

        yield put
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _set_up(port: int, folder: Path, receiver: Receiver) -> Any:
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
        Handler="peer_handler.handler",
        Code={"ZipFile": _package()},
        Timeout=60,
        MemorySize=1024,
        Environment={
            "Variables": {
                "SNS_TOPIC_ARN": topic,
                "MODEL": str(unpack_model(EXAMPLE / "model.tar.gz", folder / "model")),
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
        archive.write(HERE / "peer_handler.py", "peer_handler.py")
    return buffer.getvalue()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=1) as answer:
                json.loads(answer.read())
                return
        except (OSError, ValueError):
            time.sleep(0.1)
    raise TimeoutError("ministack did not start")
