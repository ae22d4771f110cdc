"""What the walk tests share: the birds example on a running instance, told to a webhook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import Instance
from tests.walk.sinks import Webhook, webhook

EXAMPLE = Path(__file__).parents[2] / "examples" / "birds"
PICTURES = {path.name: path.read_bytes() for path in sorted((EXAMPLE / "pictures").glob("*.jpg"))}


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as sink:
        yield sink


@dataclass
class Birds:
    """The example's app on one instance. `again` starts it anew on the same folder."""

    instance: Instance
    outputs: dict[str, Any]
    again: Callable[[], Birds]

    def put(self, key: str, picture: bytes) -> None:
        self.instance.client("s3").put_object(Bucket=self.outputs["BucketName"], Key=key, Body=picture)

    def subscribe(self, hook: Webhook) -> None:
        self.instance.client("sns").subscribe(TopicArn=self.outputs["TopicArn"], Protocol="http", Endpoint=hook.url)
        assert hook.confirmed.wait(20), "the subscription was not confirmed"


@pytest.fixture
def birds(start: Callable[..., Instance], tmp_path: Path) -> Birds:
    """`alight up examples/birds`, with loopback webhooks allowed and retries after half a second."""

    def begin() -> Birds:
        instance = start(
            EXAMPLE, tmp_path / "data", ALIGHT_WEBHOOK_ALLOW="127.0.0.1", ALIGHT_RETRY_DELAYS="0.5,1", timeout=60
        )
        return Birds(instance, instance.json("outputs"), begin)

    return begin()
