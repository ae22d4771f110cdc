"""Waiting for rows: until somebody says that there are some, or the next one falls due."""

from __future__ import annotations

import asyncio

from alight.clock import Clock

#: A clock that goes back by less (seconds) is not worth a transaction.
NOTICEABLE = 1.0


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


class SetBack:
    """Notices that the wall clock was set back, from one look to the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.monotonic()

    def look(self) -> float:
        """By how many seconds, 0 where it went on as it should, was set forward, or is only being steered."""
        before, self._ahead = self._ahead, self._clock.now() - self._clock.monotonic()
        seconds = before - self._ahead
        return seconds if seconds >= NOTICEABLE else 0.0


async def _sleep_until(clock: Clock, moment: float) -> None:
    # What is left is reckoned here, when the sleep begins: the task may start late.
    left = moment - clock.monotonic()
    if left > 0:
        await clock.sleep(left)
