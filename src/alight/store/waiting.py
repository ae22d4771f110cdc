"""Waiting for rows: until somebody says that there are some, or the next one falls due."""

from __future__ import annotations

import asyncio

from alight.clock import Clock


async def wait_until(clock: Clock, event: asyncio.Event, moment: float | None) -> None:
    """Return when `event` is set, or at `moment` (monotonic time) where one is given."""
    if moment is None:
        await event.wait()
        return
    timer = asyncio.create_task(_sleep_until(clock, moment))
    woken = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({timer, woken}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        woken.cancel()


async def _sleep_until(clock: Clock, moment: float) -> None:
    # What is left is reckoned here, when the sleep begins: the task may start late.
    left = moment - clock.monotonic()
    if left > 0:
        await clock.sleep(left)
