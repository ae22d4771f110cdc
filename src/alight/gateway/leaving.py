"""Callers who go away while they wait in a line: they leave it, so that it is not served for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from alight.calls import Call, Members

#: Operations that may wait long for a place, and give it back where nobody waits any more. (A stream that has begun is
#: over them: whoever leaves it ends it.)
LINES = frozenset(
    {
        ("lambda", "Invoke"),
        ("sagemaker-runtime", "InvokeEndpoint"),
        ("sagemaker-runtime", "InvokeEndpointWithResponseStream"),
    }
)
#: Seconds before callers are watched: most have their answer by then, and looking after each costs more than a timer.
PATIENCE = 0.5


class Left(Exception):
    """The caller has gone: nobody is to be answered."""


def while_there(work: Awaitable[Members], call: Call, gone: Callable[[], Awaitable[None]]) -> Awaitable[Members]:
    """What `work` returns. Where it may wait in a line, it is cancelled, and `Left` raised, when `gone` has returned:
    at once, or after `PATIENCE`. Workers are not watched."""
    if (call.service, call.operation) not in LINES or call.principal.worker is not None:
        return work
    return _watched(work, gone)


async def _watched(work: Awaitable[Members], gone: Callable[[], Awaitable[None]]) -> Members:
    watch = _Watch(gone)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.has_cancelled():
            raise Left from None
        raise
    finally:
        watch.end()


class _Watch:
    """Cancels the task that made it when `gone` has returned."""

    def __init__(self, gone: Callable[[], Awaitable[None]]) -> None:
        self._gone = gone
        self._task = asyncio.current_task()
        self._looking: asyncio.Future[None] | None = None
        self._ended = False
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._look)

    def _look(self) -> None:
        self._looking = asyncio.ensure_future(self._gone())
        self._looking.add_done_callback(self._leave)

    def _leave(self, looking: asyncio.Future[None]) -> None:
        if self._task is not None and not self._ended and not looking.cancelled():
            self._ended = self._task.cancel()

    def has_cancelled(self) -> bool:
        """Whether it was this, and nobody else."""
        return self._ended and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        self._ended = True
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
