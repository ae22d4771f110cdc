"""The only place that reads time, so that retries, leases and expiry can be tested without waiting.

A machine's wall clock is set now and then, by hours or years. What waits in rows waits by the wall clock, so it has to
move along; until it has, time goes on here as if nothing had happened, and nobody writes a moment that is moved twice.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

#: A wall clock that is set by less (seconds) is not worth a transaction.
NOTICEABLE = 1.0


class Clock(Protocol):
    """Wall time for what people read, monotonic time for what must not jump."""

    def now(self) -> float:
        """Seconds since 1970 (may jump)."""

    def follow(self, shift: Callable[[float], None] | None) -> None:
        """From now on `shift(seconds)` is called where the wall clock was set, forward or back, on the caller's thread
        and before anybody there has read the new time. None: nobody keeps moments any more."""

    def rows_moved(self) -> None:
        """The writer has moved the rows: what its next jobs write is of the new time."""

    def rows_stayed(self) -> None:
        """It was undone."""

    def settle(self) -> None:
        """What `rows_moved` or `rows_stayed` said is final."""

    def lost_since(self, moment: float) -> float:
        """The seconds that nobody has lived since `moment`, at the most: by so much more than it was old it looks."""

    def skipped(self) -> float:
        """All seconds that the clock was set forward by, in this process."""

    def monotonic(self) -> float:
        """Seconds since some start (never goes back)."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time."""


class SteadyClock:
    """What all clocks have in common: how a wall clock that is set becomes the house's time.

    The loop's thread knows of the new time first, and whatever it reckons by it stands behind the move in the writer's
    line; on every other thread it begins with the move itself.
    """

    def __init__(self) -> None:
        #: Wall time less monotonic time, as the loop's thread and as the rows have it.
        self._ahead = self._written = self._wall() - self.monotonic()
        self._before = self._written
        self._settled = True
        self._shift: Callable[[float], None] | None = None
        self._thread = threading.get_ident()
        #: (first moment, last moment, by how much it was set then) of each time that has passed.
        self._times: list[tuple[float, float, float]] = []
        self._since = self._wall()

    def _wall(self) -> float:
        raise NotImplementedError

    def monotonic(self) -> float:
        raise NotImplementedError

    def now(self) -> float:
        wall, tick = self._wall(), self.monotonic()
        if self._settled and -NOTICEABLE < wall - tick - self._ahead < NOTICEABLE:
            return wall
        return self._steadily(wall, tick)

    def follow(self, shift: Callable[[float], None] | None) -> None:
        self._shift, self._thread = shift, threading.get_ident()
        self._settled = True
        self._ahead = self._written = self._wall() - self.monotonic()

    def rows_moved(self) -> None:
        self._before, self._written = self._written, self._ahead

    def rows_stayed(self) -> None:
        self._written = self._before

    def settle(self) -> None:
        # Where they stayed, the next look finds the step again.
        self._ahead = self._written
        self._settled = True

    def lost_since(self, moment: float) -> float:
        lost = moved = 0.0
        for first, last, seconds in reversed(self._times):
            moved += seconds
            # Whole seconds may seem to lie before the beginning.
            if first - 1 < moment <= last:
                lost = max(lost, moved)
        return lost

    def skipped(self) -> float:
        return sum(max(seconds, 0.0) for _, _, seconds in self._times)

    def _in_rows(self) -> bool:
        """Whether the caller sees the time of the rows."""
        return threading.get_ident() != self._thread

    def _steadily(self, wall: float, tick: float) -> float:
        if self._shift is None:
            self._ahead = self._written = wall - tick
            return wall
        if self._in_rows():
            return tick + self._written
        if self._settled:
            seconds = wall - tick - self._ahead
            self._times.append((self._since, tick + self._ahead, seconds))
            self._since = wall
            self._settled = False
            self._ahead = wall - tick
            self._shift(seconds)
        return tick + self._ahead


class SystemClock(SteadyClock):
    """The machine's clock."""

    def now(self) -> float:
        # `SteadyClock.now` in one step: an API's request asks for the time a dozen times.
        wall, tick = time.time(), time.monotonic()
        if self._settled and -NOTICEABLE < wall - tick - self._ahead < NOTICEABLE:
            return wall
        return self._steadily(wall, tick)

    monotonic = staticmethod(time.monotonic)

    def _wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock(SteadyClock):
    """A clock that moves only when told to; sleepers wake when it passes them."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._tick = start
        self._set_by = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        super().__init__()

    def _wall(self) -> float:
        return self._tick + self._set_by

    def monotonic(self) -> float:
        return self._tick

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return await asyncio.sleep(0)
        woken = asyncio.Event()
        self._sleepers.append((self._tick + seconds, woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        self._tick += seconds
        due = [event for at, event in self._sleepers if at <= self._tick]
        self._sleepers = [(at, event) for at, event in self._sleepers if at > self._tick]
        for event in due:
            event.set()

    def set_by(self, seconds: float) -> None:
        """The wall clock is set forward, or back."""
        self._set_by += seconds


def iso_millis(moment: float) -> str:
    """`2026-01-02T03:04:05.678Z`, the form of S3 event records and SNS envelopes."""
    return f"{_second(int(moment // 1))}.{int(moment * 1000) % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
