"""When what is under way has to be over: one timer for all of it, set to the first that is due.

A timer for each request would cost more than all else that is noted of it, and next to none ever fires.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
#: Seconds by which the loop's timers may come early.
EARLY = 0.001


class Deadlines(Generic[T]):
    """Times are the loop's. `late` is told of each item whose time has come; then it is no longer here."""

    def __init__(self, late: Callable[[T], None]) -> None:
        self._late = late
        self._due: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = math.inf

    def add(self, item: T, due: float) -> None:
        """Where it is here already, with another time from now on."""
        self._due[item] = due
        if due < self._next:
            self._set(due)

    def drop(self, item: T) -> None:
        """It is over, or was never here."""
        self._due.pop(item, None)

    def close(self) -> None:
        """Nobody is told any more."""
        self._due.clear()
        self._set(math.inf)

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = due
        self._timer = asyncio.get_running_loop().call_at(due, self._look) if due < math.inf else None

    def _look(self) -> None:
        now = asyncio.get_running_loop().time() + EARLY
        late = [item for item, due in self._due.items() if due <= now]
        for item in late:
            del self._due[item]
        self._set(min(self._due.values(), default=math.inf))
        for item in late:
            self._late(item)
