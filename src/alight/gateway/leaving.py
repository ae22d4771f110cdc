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


class Left(Exception):
    """The caller has gone: nobody is to be answered."""


async def while_there(work: Awaitable[Members], call: Call, gone: Callable[[], Awaitable[None]]) -> Members:
    """What `work` returns. Where it may wait in a line, it is cancelled, and `Left` raised, as soon as `gone` returns.
    Workers are not watched."""
    if (call.service, call.operation) not in LINES or call.principal.worker is not None:
        return await work
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        leaving.cancel()
        working.cancel()
    raise Left
