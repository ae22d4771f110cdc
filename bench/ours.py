"""Alight with the birds example, told to a webhook."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from load import PUTTERS, Put
from receiver import Receiver

EXAMPLE = Path(__file__).parent.parent / "examples" / "birds"
ALIGHT = Path(sys.executable).parent / "alight"


def unpack_model(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


@contextmanager
def running(folder: Path, receiver: Receiver) -> Iterator[Put]:
    """`alight up examples/birds` on a fresh folder, with the receiver subscribed to its topic."""
    data = folder / "data"
    process = subprocess.Popen(
        [ALIGHT, "up", EXAMPLE, "--port", "0", "--data", data],
        stdout=subprocess.PIPE,
        stderr=(folder / "alight.log").open("w"),
        text=True,
        env={"PATH": "/usr/bin:/bin", "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1"},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Alight ready at"):
                break
        env, outputs = (json.loads(_ask(word, data)) for word in ("env", "outputs"))
        clients = {
            service: boto3.client(
                service,
                endpoint_url=env["AWS_ENDPOINT_URL"],
                aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                region_name=env["AWS_DEFAULT_REGION"],
                config=Config(max_pool_connections=PUTTERS * 2),
            )
            for service in ("s3", "sns")
        }
        clients["sns"].subscribe(TopicArn=outputs["TopicArn"], Protocol="http", Endpoint=receiver.url)
        if not receiver.confirmed.wait(20):
            raise TimeoutError("the subscription was not confirmed")

        def put(key: str, body: bytes) -> None:
            clients["s3"].put_object(Bucket=outputs["BucketName"], Key=key, Body=body, ContentType="image/jpeg")

        yield put
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _ask(word: str, data: Path) -> str:
    return subprocess.run([ALIGHT, word, "--json", "--data", data], check=True, capture_output=True, text=True).stdout
