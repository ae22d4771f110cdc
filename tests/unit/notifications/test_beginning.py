"""A new delivery to something in the house begins as soon as it is durable, with what it carries."""

from __future__ import annotations

from contextlib import suppress

import pytest

from alight.notifications.message import Message
from alight.store.database import Tx
from alight.store.outbox import OutboxStore
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.test_outbox import QUEUE, publish


async def told_once(house: House) -> str:
    """A topic whose one subscriber, a queue, is known to take what it gets."""
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    await publish(house, topic, "the first")
    await house.until_state("sent")
    await house.until(lambda: house.room.outbox._keeps_up)
    return topic


async def test_its_message_is_not_read_again(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await open_house()
    topic = await told_once(house)

    def read(*given: object) -> None:
        raise AssertionError("it is known")

    with monkeypatch.context() as now:
        now.setattr(OutboxStore, "message", read)
        await publish(house, topic, "the second")
        await house.until_state("sent", 2)
    assert [row.attempts for row in house.deliveries("sent")] == [1, 1]
    assert house.room.outbox._lanes.busy == 0


@pytest.mark.parametrize("first", [True, False])
async def test_a_round_before_or_behind_begins_no_second_one(open_house: OpenHouse, first: bool) -> None:
    house = await open_house()
    topic, outbox = await told_once(house), house.room.outbox
    begun: list[int] = []

    def a_round() -> None:
        with suppress(StopIteration):
            outbox._round(house.clock.now(), house.clock.monotonic()).send(None)
        begun.append(len(outbox._sending))

    def job(tx: Tx) -> None:
        if first:
            tx.after_commit(a_round)
        house.room.topics.publish(tx, Message(topic, "the second"))
        tx.after_commit(a_round)

    await house.database.write(job)
    assert set(begun) == {1}
    await house.until_state("sent", 2)
    assert (len(house.queued), outbox._lanes.busy, outbox._inside) == (2, 0, set())


async def test_its_place_is_free_again_where_the_job_is_taken_back(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await told_once(house)

    def job(tx: Tx) -> None:
        house.room.topics.publish(tx, Message(topic, "never"))
        assert house.room.outbox._lanes.busy == 1
        raise LookupError

    with pytest.raises(LookupError):
        await house.database.write(job)
    assert (house.room.outbox._lanes.busy, len(house.deliveries())) == (0, 1)
