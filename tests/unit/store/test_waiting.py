"""Waiting for rows, on a clock that the test moves."""

from __future__ import annotations

import asyncio

from alight.clock import ManualClock
from alight.store.waiting import Alarm, wait_until


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_moment_ends_the_wait_also_where_it_passes_before_the_sleep_begins() -> None:
    clock = ManualClock(100.0)
    for early in (True, False):
        start = clock.monotonic()
        waiting = asyncio.create_task(wait_until(clock, asyncio.Event(), start + 20))
        if not early:
            await settled()
            assert not waiting.done()
        else:
            await asyncio.sleep(0)  # the wait has begun, its timer has not
        clock.advance(20)
        async with asyncio.timeout(10):
            await waiting


async def test_the_event_ends_the_wait() -> None:
    event = asyncio.Event()
    for moment in (None, 1e12):
        event.clear()
        waiting = asyncio.create_task(wait_until(ManualClock(), event, moment))
        await settled()
        assert not waiting.done()
        event.set()
        async with asyncio.timeout(10):
            await waiting


async def test_a_moment_that_has_passed_is_no_wait() -> None:
    async with asyncio.timeout(10):
        await wait_until(ManualClock(100.0), asyncio.Event(), 99.0)


async def test_an_alarm_rings_when_told_and_at_the_moment() -> None:
    clock = ManualClock(100.0)
    alarm = Alarm(clock)
    for told in (True, False, True):
        alarm.clear()
        waiting = asyncio.create_task(alarm.wait(clock.monotonic() + 20))
        await settled()
        assert not waiting.done()
        if told:
            alarm.ring()
        else:
            clock.advance(20)
        async with asyncio.timeout(10):
            await waiting
    alarm.close()


async def test_an_earlier_moment_is_not_kept_waiting_by_a_later_timer() -> None:
    clock = ManualClock(100.0)
    alarm = Alarm(clock)
    for moment in (200.0, 110.0):
        alarm.clear()
        waiting = asyncio.create_task(alarm.wait(moment))
        await settled()
        if moment == 200.0:
            alarm.ring()
            await waiting
    clock.advance(10)
    async with asyncio.timeout(10):
        await waiting
    alarm.close()


async def test_an_alarm_that_rang_before_the_wait_ends_it_and_leaves_no_timer() -> None:
    alarm = Alarm(ManualClock(100.0))
    before = asyncio.all_tasks()
    alarm.ring()
    async with asyncio.timeout(10):
        await alarm.wait(200.0)
    alarm.clear()
    async with asyncio.timeout(10):
        await alarm.wait(99.0)
    assert asyncio.all_tasks() == before
