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


class Alarm:
    """The bell of a loop that works off rows: it rings when somebody says so, and when the next row falls due.

    The timer of one wait serves the next ones, as long as it is not too late for them: a loop that is woken for each
    row makes no task for it. One that rings too early costs a look.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._moment = 0.0

    def ring(self) -> None:
        """Loop thread only."""
        self._rung.set()

    def clear(self) -> None:
        """Before the look at the rows: what rings from here on is not missed."""
        self._rung.clear()

    async def wait(self, moment: float | None) -> None:
        """Return when it rings, at the latest at `moment` (monotonic time) where one is given."""
        if moment is not None and not self._rung.is_set():
            if moment <= self._clock.monotonic():
                await asyncio.sleep(0)
                return
            if self._timer is None or self._timer.done() or moment < self._moment:
                self.close()
                self._moment = moment
                self._timer = asyncio.create_task(self._ring_at(moment))
        await self._rung.wait()

    def close(self) -> None:
        """No timer is left behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _ring_at(self, moment: float) -> None:
        await _sleep_until(self._clock, moment)
        self._rung.set()


async def _sleep_until(clock: Clock, moment: float) -> None:
    # What is left is reckoned here, when the sleep begins: the task may start late.
    left = moment - clock.monotonic()
    if left > 0:
        await clock.sleep(left)
