"""A delivery that is leased as it is made, and stops at the worst moment: nothing is called uncertain that was never
sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from alight.notifications.message import Protocol
from alight.store.database import Tx
from tests.unit.notifications.conftest import OpenHouse
from tests.unit.notifications.receiver import receiver


async def test_a_stop_right_after_a_lease_leaves_nothing_uncertain(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as got:
        first = await open_house(start=False)
        await first.subscribe(await first.topic(), "http", got.url)
        write, stops = first.database.write, list[asyncio.Task[None]]()

        async def write_then_stop(job: Callable[[Tx], Any], **more: Any) -> Any:
            """The stop comes when the lease is on the disk, and before its sender has heard of it."""
            done = await write(job, **more)
            if not stops and first.deliveries("sending"):
                stops.append(asyncio.create_task(first.room.close()))
                await asyncio.sleep(0)
            return done

        monkeypatch.setattr(first.database, "write", write_then_stop)
        await first.room.start()
        await first.until(lambda: stops)
        await stops[0]
        await first.database.close()
        second = await open_house()
        assert (second.room.outbox.recovered, len(got.requests)) == (0, 1)
        assert second.room.store.counts()["uncertain"] == 0


async def test_what_can_leave_at_once_is_leased_in_the_transaction_that_makes_it(open_house: OpenHouse) -> None:
    async with receiver() as got:
        house = await open_house()
        topic = await house.topic()
        await house.until(lambda: house.room.outbox._keeps_up)
        await house.subscribe(topic, "http", got.url)  # sends the question whether it is wanted
        assert [(row.state, row.attempts, row.fence) for row in house.deliveries()] == [("sending", 1, 1)]
        await house.until_state("sent", 1)


async def test_a_stop_right_after_a_place_was_taken_leaves_nothing_uncertain(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as got:
        first = await open_house()
        topic = await first.topic()
        await first.until(lambda: first.room.outbox._keeps_up)
        place, stops = first.room.topics._place, list[asyncio.Task[None]]()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            stops.append(loop.create_task(first.room.close()))

        def place_then_stop(*given: Any) -> Any:
            """The stop comes when the place is taken, and before the delivery is on the disk."""
            taken = place(*given)
            asyncio.run_coroutine_threadsafe(stopped(), loop).result(10)
            return taken

        async def stopped() -> None:
            stop()
            await asyncio.sleep(0)

        monkeypatch.setattr(first.room.topics, "_place", place_then_stop)
        await first.subscribe(topic, "http", got.url)
        await stops[0]
        await first.database.close()
        second = await open_house()
        assert (second.room.outbox.recovered, len(got.requests)) == (0, 1)
        assert second.room.store.counts()["uncertain"] == 0


async def test_a_place_whose_transaction_is_taken_back_is_given_back(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.until(lambda: house.room.outbox._keeps_up)
    lanes = house.room.outbox._lanes

    def job(tx: Tx) -> None:
        assert house.room.outbox.place(tx, Protocol.HTTP, "http://127.0.0.1:1/").begin is not None
        assert lanes.busy == 1
        raise ValueError("taken back")

    with pytest.raises(ValueError, match="taken back"):
        await house.database.write(job)
    assert lanes.busy == 0
