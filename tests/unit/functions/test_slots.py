"""Calls of one function that wait for a place are bounded."""

from __future__ import annotations

import asyncio

import pytest

from alight.functions import slots
from alight.functions.invocation import Throttled
from alight.functions.slots import Slots


async def test_who_comes_when_too_many_wait_is_turned_away_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAITING", 3)
    places = Slots(1)
    await places.acquire("busy", None, wait=True)
    waiting = [asyncio.create_task(places.acquire("busy", None, wait=True)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Throttled) as refused:
        async with asyncio.timeout(5):
            await places.acquire("busy", None, wait=True)
    assert not refused.value.reserved
    other = asyncio.create_task(places.acquire("other", None, wait=True))
    await asyncio.sleep(0)
    assert not other.done()
    places.release("busy")
    await waiting[0]
    # A place in the line is free again.
    late = asyncio.create_task(places.acquire("busy", None, wait=True))
    await asyncio.sleep(0)
    assert not late.done()
    places.release("busy")
    await other
    for task in (*waiting[1:], late):
        task.cancel()
