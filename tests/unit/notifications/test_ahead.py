"""What an attempt has staged is signed while it ends, where somebody will get it signed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from alight.calls import Attempt
from alight.notifications import ahead
from alight.store.records import Record, Records
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.test_signing import verify

QUEUE = "arn:aws:sqs:us-east-1:000000000000:sightings"
EVENT = Attempt("request", "arn:aws:lambda:us-east-1:000000000000:function:f", "event-1", 1, staged=True)


def signed(house: House) -> int:
    """Signatures that were made."""
    return len(house.room.webhooks._envelopes._known)


async def stage(house: House, topic: str, attempt: Attempt = EVENT, **given: Any) -> None:
    await house.call("Publish", attempt, TopicArn=topic, **({"Message": "hello"} | given))


async def only_the_last_is_signed(house: House, topic: str, others: int = 0) -> None:
    house.room.topics.begin("event-2", 1)
    await stage(house, topic, replace(EVENT, event_id="event-2"), Message="the last")
    # Timers run in their order: what should be signed by then, is.
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(ahead.PAUSE, passed.set)
    await passed.wait()
    assert signed(house) == others + 1


async def test_what_leaves_was_signed_before(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic(SignatureVersion="2")
    await house.subscribe(topic, "sqs", QUEUE)
    house.room.topics.begin("event-1", 1)
    await stage(house, topic, Subject="Sighting")
    await house.until(lambda: signed(house) == 1)
    await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1))
    await house.until(lambda: house.queued)
    ((_, body, _),) = house.queued
    verify(json.loads(body), house.room.signer.certificate)
    assert signed(house) == 1


@pytest.mark.parametrize(
    "settings",
    [{"RawMessageDelivery": "true"}, {"FilterPolicy": '{"kind": ["bird"]}'}],
)
async def test_nothing_is_signed_for_who_may_not_get_it_signed(open_house: OpenHouse, settings: dict[str, str]) -> None:
    house = await open_house()
    topic = await house.topic()
    house.room.topics.begin("event-1", 1)
    await stage(house, topic, Message="to nobody")
    await house.subscribe(topic, "sqs", QUEUE, **settings)
    await stage(house, topic, Message="to somebody, perhaps")
    # Then somebody comes who gets all of it.
    await house.subscribe(topic, "sqs", f"{QUEUE}-all")
    await only_the_last_is_signed(house, topic)


async def test_one_text_for_each_protocol_is_not_signed_ahead(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    house.room.topics.begin("event-1", 1)
    await stage(house, topic, Message='{"default": "hello"}', MessageStructure="json")
    await only_the_last_is_signed(house, topic)


async def test_only_the_first_messages_of_an_attempt_are_signed_ahead(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    house.room.topics.begin("event-1", 1)
    for number in range(ahead.MOST + 3):
        await stage(house, topic, Message=f"number {number}")
    await only_the_last_is_signed(house, topic, others=ahead.MOST)


async def test_a_publish_that_is_staged_does_not_fail_where_nobody_can_be_looked_up(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*given: object, **more: object) -> list[Record]:
        raise RuntimeError("cannot be read now")

    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    house.room.topics.begin("event-1", 1)
    with monkeypatch.context() as now:
        now.setattr(Records, "list", unreadable)
        await stage(house, topic)
    await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1))
    await house.until(lambda: house.queued)
    assert len(house.queued) == 1
