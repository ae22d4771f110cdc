"""Shadow variants: they are sent copies of what production was asked, after it has answered; nobody waits for them.

What a shadow answers is compared and thrown away. Copies are bounded in number and bytes, so that a slow shadow costs
copies, never memory or production's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from alight.endpoints.contract import Reply

MOST = 32
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of one copy. `seconds` is the shadow's time (0 where it was dropped), `production` that of the
    answer that was given."""

    endpoint: str
    variant: str
    shadow: str
    outcome: Literal["same", "other", "failed", "dropped"]
    production: float
    seconds: float


class Share:
    """Says of each request whether a shadow gets a copy: `share` of them (0 to 1), evenly spread."""

    def __init__(self, share: float) -> None:
        self._share = min(1.0, share)
        self._credit = 0.0

    def due(self) -> bool:
        self._credit += self._share
        if self._credit < 1.0 - 1e-9:
            return False
        self._credit -= 1.0
        return True


class Copies:
    """The copies that are under way."""

    def __init__(self, tell: Callable[[Compared], None], monotonic: Callable[[], float]) -> None:
        self._tell = tell
        self._monotonic = monotonic
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0

    def send(
        self, place: tuple[str, str, str], ask: Callable[[], Awaitable[Reply]], size: int, given: Reply, took: float
    ) -> None:
        """Ask a shadow in the background. `place` is endpoint, variant and shadow; `given` is production's answer."""
        if len(self._tasks) >= MOST or self._bytes + size > MOST_BYTES:
            self._tell(Compared(*place, "dropped", took, 0.0))
            return
        self._bytes += size
        task = asyncio.create_task(self._compare(place, ask, size, given, took))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Until no copy is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _compare(
        self, place: tuple[str, str, str], ask: Callable[[], Awaitable[Reply]], size: int, given: Reply, took: float
    ) -> None:
        began = self._monotonic()
        outcome: Literal["same", "other", "failed"] = "failed"
        try:
            reply = await ask()
            if 200 <= reply.status < 300:
                outcome = "same" if (reply.status, reply.body) == (given.status, given.body) else "other"
        except Exception:
            outcome = "failed"  # whatever it is, it is the shadow's own
        finally:
            self._bytes -= size
        self._tell(Compared(*place, outcome, took, self._monotonic() - began))
