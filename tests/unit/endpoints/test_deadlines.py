"""One timer for all that is under way."""

from __future__ import annotations

import asyncio

from alight.endpoints.deadlines import EARLY, Deadlines


async def test_each_is_late_when_its_own_time_has_come_whatever_the_order() -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    begun, told = loop.time(), []

    def late(item: str) -> None:
        told.append((item, loop.time() - begun))
        if len(told) == 3:
            over.set()

    deadlines = Deadlines(late)
    for item, seconds in (("last", 0.06), ("first", 0.02), ("never", 0.03), ("put off", 0.01)):
        deadlines.add(item, begun + seconds)
    deadlines.drop("never")
    deadlines.drop("nobody")
    deadlines.add("put off", begun + 0.04)
    async with asyncio.timeout(5):
        await over.wait()
    assert [item for item, _ in told] == ["first", "put off", "last"]
    for (item, took), seconds in zip(told, (0.02, 0.04, 0.06), strict=True):
        assert took >= seconds - 2 * EARLY, item


async def test_what_is_late_may_be_given_more_time_and_nobody_is_told_after_the_end() -> None:
    loop, again = asyncio.get_running_loop(), asyncio.Event()
    told: list[str] = []

    def late(item: str) -> None:
        told.append(item)
        if len(told) == 1:
            deadlines.add(item, loop.time() + 0.01)
        else:
            again.set()

    deadlines = Deadlines(late)
    deadlines.add("slow", loop.time())
    async with asyncio.timeout(5):
        await again.wait()
    assert told == ["slow", "slow"]
    deadlines.add("closed", loop.time())
    deadlines.close()
    await asyncio.sleep(0.01)
    assert told == ["slow", "slow"]
