"""A stop at the worst moment: nothing is called uncertain that was never sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

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

        async def write_then_stop(job: Callable[[Tx], Any]) -> Any:
            """The stop comes when the lease is on the disk, and before its sender has heard of it."""
            done = await write(job)
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
