"""What waits moves along where the machine's wall clock is set, forward or back, in one transaction.

A retry that is due in a minute stays due in a minute, an event gets no older and no younger, a message stays hidden for
as long as its receiver asked for. The clock (`alight.clock`) says when; it goes on steadily until this is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from alight.clock import Clock
from alight.errors.store import InsufficientStorage, StoreUnavailable
from alight.store.rows import Tx
from alight.store.writer import Job

log = logging.getLogger(__name__)

#: Each moves the moments of one table by `seconds`.
STATEMENTS = ("journal.shift", "outbox.shift", "queues.shift")


class Steps:
    """Follows the clock for one database. Made on the event loop's thread; `submit` queues a job for the writer."""

    def __init__(self, clock: Clock, submit: Callable[[Job], None], loop: asyncio.AbstractEventLoop) -> None:
        self._clock = clock
        self._submit = submit
        self._loop = loop
        self._moving: asyncio.Future[Any] | None = None
        self._bells: list[Callable[[], None]] = []
        clock.follow(self._begin)

    def tell(self, bell: Callable[[], None]) -> None:
        """`bell` is rung on the loop once rows have moved, or were mended: whoever waits for one has to look again."""
        self._bells.append(bell)

    def ring(self) -> None:
        for bell in self._bells:
            bell()

    async def settled(self) -> None:
        """Return once what is read from the rows is of the same time as `clock.now()`."""
        self._clock.now()
        while self._moving is not None:
            await asyncio.wait([self._moving])

    def close(self) -> None:
        """Nobody keeps moments any more."""
        self._clock.follow(None)

    def _begin(self, seconds: float) -> None:
        """Called by the clock. What was reckoned by the time before is in the writer's line already."""
        ticket: asyncio.Future[Any] = self._loop.create_future()
        try:
            self._submit(Job(partial(self._move, seconds), lambda: False, ticket))
        except StoreUnavailable:
            self.close()
            return
        log.warning("the clock was set %s by %.0f s; what waits goes with it", _way(seconds), abs(seconds))
        self._moving = ticket
        ticket.add_done_callback(self._end)

    def _move(self, seconds: float, tx: Tx) -> None:
        tx.after_rollback(self._clock.rows_stayed)
        for name in STATEMENTS:
            tx.run(name, seconds=seconds)
        self._clock.rows_moved()

    def _end(self, ticket: asyncio.Future[Any]) -> None:
        self._moving = None
        error = None if ticket.cancelled() else ticket.exception()
        if error is not None and not isinstance(error, InsufficientStorage):
            # The process ends, or this is wrong for ever: what waits is then as late as the clock says.
            self.close()
            return
        self._clock.settle()
        self.ring()


def _way(seconds: float) -> str:
    return "forward" if seconds > 0 else "back"
