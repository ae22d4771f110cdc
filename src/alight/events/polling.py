"""Hands a queue's messages to a function, batch by batch.

A batch is taken only when the function has a free worker, so that throttling is waiting and burns no receives: the
messages stay where they are, in order, until somebody can begin with them. A message is deleted when the function
has handled it; whatever else happens, it shows up again when its time of hiding ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from alight.clock import Clock
from alight.errors import Fault
from alight.errors.store import StoreUnavailable
from alight.events.dispatch import Throttled
from alight.store.queues import QueuedMessage
from alight.store.waiting import wait_until

log = logging.getLogger(__name__)

#: Seconds after which a queue is looked at again although nobody said that there is something.
IDLE = 60.0
#: The same where the function, or something that it needs, is not there.
TROUBLE = 5.0
#: Seconds of rest after somebody else took the free worker.
RESPITE = 0.1


@dataclass(frozen=True, slots=True)
class Batching:
    """How messages are gathered: `queue` is an ARN, `size` messages at most, for `window` seconds at most after the
    first has shown up; `most` batches at a time (None: as many as the function takes)."""

    queue: str
    size: int = 10
    window: float = 0.0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """What becomes of a batch: `done` is deleted, `back` was not begun with; the rest was tried in vain."""

    done: Sequence[QueuedMessage] = ()
    back: Sequence[QueuedMessage] = ()


class Queues(Protocol):
    """A queue as its reader needs it; see `services/sqs/consuming.py`."""

    def visible(self, arn: str, limit: int) -> int: ...
    def next_visible(self, arn: str) -> float | None: ...
    async def take(self, arn: str, limit: int) -> list[QueuedMessage]: ...
    async def settle(self, done: Sequence[QueuedMessage], back: Sequence[QueuedMessage]) -> None: ...
    def listen(self, arn: str) -> asyncio.Event: ...
    def leave(self, arn: str, bell: asyncio.Event) -> None: ...


class Poller:
    """One reader of one queue. `free()` says how many batches the function takes now; `hand_over(messages)` has one
    handled, and raises `Throttled` where it takes none after all. `batching` may be changed at any time, for what is
    taken from then on."""

    def __init__(
        self,
        batching: Batching,
        queues: Queues,
        clock: Clock,
        *,
        free: Callable[[], int],
        hand_over: Callable[[list[QueuedMessage]], Awaitable[Handled]],
    ) -> None:
        self.batching = batching
        self._queues = queues
        self._clock = clock
        self._free = free
        self._hand_over = hand_over
        self._bell = queues.listen(batching.queue)
        self._running: dict[asyncio.Task[None], list[QueuedMessage]] = {}
        self._gathering_since: float | None = None
        self._rests_until = 0.0
        self._stopping = False
        self._loop = asyncio.create_task(self._run(), name=f"poller of {batching.queue}")

    def wake(self) -> None:
        """Look again: a worker is free, or the batching is another."""
        self._bell.set()

    async def stop(self) -> None:
        """Take nothing more, and wait for what is under way."""
        self._stopping = True
        self.wake()
        # Not cancelled: what a take has just received would be hidden, and in nobody's hands.
        await asyncio.gather(self._loop, return_exceptions=True)
        while self._running:
            await asyncio.wait(self._running)

    async def close(self, grace: float) -> None:
        """`stop`, but wait for `grace` seconds only; what has not ended then is given back."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop(), grace)
        left = dict(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with contextlib.suppress(Fault):
            await self._queues.settle([], [message for batch in left.values() for message in batch])

    async def _run(self) -> None:
        try:
            while not self._stopping:
                self._bell.clear()
                # Before the look: what falls due while it lasts would else be slept over for as long again.
                began = self._clock.monotonic()
                wait = await self._look_or_report()
                if not self._stopping:
                    await wait_until(self._clock, self._bell, began + wait)
        finally:
            self._queues.leave(self.batching.queue, self._bell)

    async def _look_or_report(self) -> float:
        """What is wrong for a moment must not end the reading."""
        try:
            return await self._look()
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("messages of %s wait: they cannot be handed over now", self.batching.queue)
            return TROUBLE

    async def _look(self) -> float:
        """Start the batches that may start; return the seconds until another look is worth it."""
        while not self._stopping:
            batching, now = self.batching, self._clock.monotonic()
            if now < self._rests_until:
                return self._rests_until - now
            # The queue first, as it is the cheaper question, and most wakings are for others.
            # What shows up between the two questions is seen by the second one.
            shows_up = self._queues.next_visible(batching.queue)
            there = self._queues.visible(batching.queue, batching.size)
            if wait := self._gather(batching, there, shows_up, now):
                return wait
            if self._places(batching) <= 0:
                return TROUBLE
            self._gathering_since = None
            batch = await self._queues.take(batching.queue, batching.size)
            if not batch:
                # Gone to a dead-letter queue, to another reader, or damaged.
                return TROUBLE
            self._start(batch)
            # Let it take its worker, so that the next look sees what is really free.
            await asyncio.sleep(0)
        return 0.0

    def _places(self, batching: Batching) -> int:
        free = self._free()
        return free if batching.most is None else min(free, batching.most - len(self._running))

    def _gather(self, batching: Batching, there: int, shows_up: float | None, now: float) -> float:
        """Seconds to wait before a batch is taken; 0 where it may be."""
        if not there:
            self._gathering_since = None
            return IDLE if shows_up is None else min(max(shows_up, 0.001), IDLE)
        if there < batching.size and batching.window:
            if self._gathering_since is None:
                self._gathering_since = now
            left = self._gathering_since + batching.window - now
            if left > 0:
                return left
        return 0.0

    def _start(self, batch: list[QueuedMessage]) -> None:
        task = asyncio.create_task(self._carry(batch), name=f"batch of {self.batching.queue}")
        self._running[task] = batch
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            log.error("what became of a batch was not recorded", exc_info=task.exception())
        self.wake()

    async def _carry(self, batch: list[QueuedMessage]) -> None:
        try:
            handled = await self._hand_over(batch)
        except Throttled:
            self._rests_until = self._clock.monotonic() + RESPITE
            handled = Handled(back=batch)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("a batch of %s could not be handed over", self.batching.queue)
            return
        await self._queues.settle(handled.done, handled.back)
