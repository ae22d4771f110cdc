"""Alight with the birds example, told to a webhook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import ours
from bench.pipeline.load import Put, over_http
from bench.pipeline.receiver import Receiver


def subscribed(instance: ours.Instance, receiver: Receiver) -> Put:
    """What puts a picture into the bucket, once the receiver hears of the topic."""
    topic, bucket = instance.outputs["TopicArn"], instance.outputs["BucketName"]
    instance.client("sns").subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
    if not receiver.confirmed.wait(20):
        raise TimeoutError("the subscription was not confirmed")

    def head(key: str, body: bytes) -> bytes:
        return instance.signed("PUT", f"/{bucket}/{key}", "s3", body, **{"Content-Type": "image/jpeg"})

    return over_http(instance.url, head)


@contextmanager
def running(folder: Path, model: Path, receiver: Receiver) -> Iterator[tuple[int, Put]]:
    """`alight up examples/birds`; its model is the example's own."""
    with ours.running(folder, ours.BIRDS, ALIGHT_WEBHOOK_ALLOW="127.0.0.1") as instance:
        yield instance.pid, subscribed(instance, receiver)
