"""Who may run now: a limit over all functions and one per function; first come, first served, functions in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from alight.functions.invocation import Throttled

#: Calls of one function that wait at a time: half of the requests that are under way at most, so that no function
#: keeps everybody else out.
WAITING = 512


@dataclass(slots=True)
class _Queue:
    """One function's running count and its waiters, oldest first."""

    limit: int
    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Slots:
    """Slots are taken at once where free; otherwise callers wait, and none is ever forgotten.

    A function's own limit is a limit only: it keeps no slots free for it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0
        self._queues: dict[str, _Queue] = {}
        #: Functions that have waiters, in the order in which they get their turn.
        self._turns: deque[str] = deque()

    async def acquire(self, name: str, own_limit: int | None, *, wait: bool) -> None:
        """Take a slot. Raises `Throttled` where the function's own limit is reached: nobody waits for that. And where
        none of the machine's is free and `wait` is False, or WAITING calls wait."""
        queue = self._queue(name, own_limit)
        if not queue.waiting and self._running < self._limit and queue.running < queue.limit:
            self._grant(queue)
            return
        reserved = queue.running >= queue.limit < self._limit
        if reserved or not wait or len(queue.waiting) >= WAITING:
            self._forget(name)
            raise Throttled(name, reserved=reserved)
        future = asyncio.get_running_loop().create_future()
        queue.waiting.append(future)
        if name not in self._turns:
            self._turns.append(name)
        self._serve()  # a raised limit of its own may let it in at once
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.release(name)
            elif future in queue.waiting:
                queue.waiting.remove(future)
            raise

    def release(self, name: str) -> None:
        """Give a slot back; the next waiter in turn gets it."""
        queue = self._queues[name]
        queue.running -= 1
        self._running -= 1
        if self._turns:
            self._serve()
        self._forget(name)

    def running(self, name: str) -> tuple[int, int]:
        """How many calls of this function have a slot, and how many of all."""
        queue = self._queues.get(name)
        return queue.running if queue else 0, self._running

    def free(self, name: str, own_limit: int | None) -> int:
        """How many calls of this function would run at once, were they made now. May be asked on any thread."""
        queue = self._queues.get(name)
        running = queue.running if queue else 0
        waiting = sum(min(len(other.waiting), other.limit - other.running) for other in list(self._queues.values()))
        own = self._limit if own_limit is None else own_limit
        return max(min(self._limit - self._running - waiting, own - running), 0)

    def _queue(self, name: str, own_limit: int | None) -> _Queue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _Queue(self._limit)
        queue.limit = self._limit if own_limit is None else min(own_limit, self._limit)
        return queue

    def _forget(self, name: str) -> None:
        queue = self._queues.get(name)
        if queue and not queue.running and not queue.waiting:
            del self._queues[name]

    def _grant(self, queue: _Queue) -> None:
        queue.running += 1
        self._running += 1

    def _serve(self) -> None:
        """Let waiters in, one function after the other, until nothing fits any more."""
        refused = 0
        while self._turns and self._running < self._limit and refused < len(self._turns):
            name = self._turns.popleft()
            queue = self._queues.get(name)
            while queue and queue.waiting and queue.waiting[0].done():
                queue.waiting.popleft()
            if not queue or not queue.waiting:
                continue
            self._turns.append(name)
            if queue.running >= queue.limit:
                refused += 1
                continue
            refused = 0
            self._grant(queue)
            queue.waiting.popleft().set_result(None)
