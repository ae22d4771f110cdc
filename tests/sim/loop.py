"""An event loop on virtual time: one step at a time, and at any of them the process may be gone.

Nothing waits for the machine: where nothing is ready, time goes on to the next timer. Threads are no part of it:
what is handed to an executor runs as a step of the loop. So the same seed gives the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from alight.clock import SteadyClock

T = TypeVar("T")

#: What a step takes, so that a loop that never waits still gets older (seconds).
STEP = 1e-5


class Crash(BaseException):
    """`kill -9` of the process that is simulated."""


class Stuck(AssertionError):
    """Nothing is ready and nobody waits for a moment: this would hang for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, but for time, threads and the order of timers."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, begin: float) -> None:
        super().__init__()
        self._now = begin
        #: Steps so far, and the one at which the process dies.
        self.steps = 0
        self.dies_at: int | None = None
        self.gone = False
        #: What nobody caught.
        self.complaints: list[str] = []
        self.set_exception_handler(lambda loop, context: self.complaints.append(repr(context)))

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        self._collect_due()
        while not self._ready:
            if not self._scheduled:
                raise Stuck("nothing is ready, and no timer runs")
            self._now = max(self._now, self._scheduled[0].when())
            self._collect_due()
        self._now += STEP
        self.steps += 1
        if self.steps == self.dies_at:
            raise Crash
        handle = self._ready.popleft()
        if not handle.cancelled():
            handle._run()

    def _collect_due(self) -> None:
        while self._scheduled and (self._scheduled[0].cancelled() or self._scheduled[0].when() <= self._now):
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]
            if not timer.cancelled():
                self._ready.append(timer)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers leave when their moment comes."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *given: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if self.gone:
            return asyncio.Handle(callback, given, self, context)
        return super().call_soon(callback, *given, context=context)

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_exception_handler(self, context: Any) -> None:
        if not self.gone:
            super().call_exception_handler(context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *given: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()

        def call() -> None:
            try:
                result = func(*given)
            except Exception as error:
                future.set_exception(error)
            else:
                if not future.cancelled():
                    future.set_result(result)

        self.call_soon(call)
        return future

    def abandon(self) -> None:
        """Drop all that was going on, as the end of a process does: nothing of it has an effect any more."""
        self.gone = True
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with contextlib.suppress(BaseException):
                coroutine = task.get_coro()
                assert coroutine is not None
                coroutine.close()
        self.close()


def live(loop: VirtualLoop, life: Coroutine[Any, Any, T]) -> T | None:
    """Run one life of a process to its end; None where it was killed at `loop.dies_at`."""
    task = loop.create_task(life)
    try:
        return loop.run_until_complete(task)
    except Crash:
        return None
    finally:
        loop.abandon()


class VirtualClock(SteadyClock):
    """The loop's time. It goes on through all lives; the wall clock beside it can be set."""

    def __init__(self) -> None:
        self.wrong_by = 1_700_000_000.0
        self.loop: VirtualLoop | None = None
        #: Whether the writer is at work: in a house of one thread, nothing else says so.
        self.writing = False
        super().__init__()

    def monotonic(self) -> float:
        return self.loop.time() if self.loop else 0.0

    @property
    def ahead(self) -> float:
        """Wall time less monotonic time, as rows have it that were just read."""
        return self._written

    @property
    def unnoticed(self) -> bool:
        """Whether rows still have another time than the next process will have."""
        return abs(self.wrong_by - self._written) > 1e-3

    def _wall(self) -> float:
        return self.monotonic() + self.wrong_by

    def _in_rows(self) -> bool:
        return self.writing

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
