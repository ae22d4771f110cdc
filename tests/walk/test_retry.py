"""A retry never notifies twice, whatever the message says; a failure leaves its last words and a dead letter."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import Instance, eventually, steady_port
from tests.walk.conftest import Birds
from tests.walk.sinks import Webhook

APP = Path(__file__).parent / "apps" / "unsteady"


@pytest.fixture
def unsteady(start: Callable[..., Instance], hook: Webhook) -> Birds:
    settings = {"ALIGHT_WEBHOOK_ALLOW": "127.0.0.1", "ALIGHT_RETRY_DELAYS": "0.05,0.1"}
    instance = start(APP, port=steady_port(), timeout=60, **settings)
    app = Birds(instance, instance.json("outputs"), lambda: app)
    app.subscribe(hook)
    return app


def ended(app: Birds, state: str, count: int) -> Callable[[], Any]:
    def events() -> Any:
        found = app.instance.json("events", "list", "--state", state)["events"]
        return found if len(found) >= count else None

    return events


def test_a_message_with_the_time_and_one_with_a_link_arrive_once(unsteady: Birds, hook: Webhook) -> None:
    unsteady.put("time/a.jpg", b"picture a")
    unsteady.put("link/b.jpg", b"picture b")
    events = eventually(ended(unsteady, "succeeded", 2))
    assert [event["attempts"] for event in events] == [3, 3]
    messages = sorted(arrival.message for arrival in hook.wait_for(2))
    assert len(messages) == 2, "the two failed attempts of each were not told"
    assert messages[1].startswith("[time/a.jpg] attempt 3 "), "the deciding attempt's own words"
    with urllib.request.urlopen(messages[0].split("] ")[1]) as answer:
        assert answer.read() == b"picture b", "the link opens without keys"


def test_what_always_fails_tells_its_last_attempt_and_is_a_dead_letter_that_comes_back(
    unsteady: Birds, hook: Webhook
) -> None:
    unsteady.put("never/c.jpg", b"")
    [event] = eventually(ended(unsteady, "dead", 1))
    assert event["attempts"] == 3
    assert event["error"]["type"] == "RetriesExhausted RuntimeError"
    assert [arrival.message for arrival in hook.wait_for(1)] == ["[never/c.jpg] {'never/c.jpg': 3}"]
    assert unsteady.instance.json("events", "redrive", event["id"])["count"] == 1
    messages = [arrival.message for arrival in hook.wait_for(2)]
    assert messages[1] == "[never/c.jpg] {'never/c.jpg': 6}"


def test_an_immediate_publish_leaves_at_once_and_its_repeat_does_not(unsteady: Birds, hook: Webhook) -> None:
    unsteady.put("immediate/d.jpg", b"")
    [event] = eventually(ended(unsteady, "succeeded", 1))
    assert event["attempts"] == 3
    assert [arrival.message for arrival in hook.wait_for(1)] == ["[immediate/d.jpg] the same text"]
    deliveries = unsteady.instance.json("outbox")["deliveries"]
    assert sum(item["protocol"] == "http" and "same text" in item["body"] for item in deliveries) == 1


def test_a_missing_permission_shows_here_as_on_aws(unsteady: Birds) -> None:
    answer = unsteady.instance.alight("invoke", unsteady.outputs["Forbidden"], "{}", "--json")
    assert answer.returncode == 1
    assert "AccessDenied" in answer.stdout
    assert "s3:PutObject" in answer.stdout
    objects = unsteady.instance.client("s3").list_objects_v2(Bucket=unsteady.outputs["BucketName"])
    assert objects["KeyCount"] == 0


def test_a_presigned_link_outlives_the_worker_and_a_restart(
    unsteady: Birds, hook: Webhook, start: Callable[..., Instance]
) -> None:
    unsteady.put("link/e.jpg", b"picture e")
    [arrival] = hook.wait_for(1)
    link = arrival.message.split("] ")[1]
    port = int(unsteady.instance.url.rpartition(":")[2])
    unsteady.instance.kill()
    start(APP, port=port, ALIGHT_WEBHOOK_ALLOW="127.0.0.1", timeout=60)
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"picture e"
