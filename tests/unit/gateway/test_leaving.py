"""Whoever goes away while he waits in a line leaves it."""

from __future__ import annotations

import asyncio

import pytest

from alight.calls import ANONYMOUS, Call, Members
from alight.gateway.leaving import Left, while_there

#: What waits for a worker or a replica.
WAITING = [
    ("lambda", "Invoke"),
    ("sagemaker-runtime", "InvokeEndpoint"),
    ("sagemaker-runtime", "InvokeEndpointWithResponseStream"),
]


class Line:
    """Somebody waits in it until he is served, or gives up."""

    def __init__(self) -> None:
        self.waiting = False
        self.served = asyncio.Event()

    async def stand(self) -> Members:
        self.waiting = True
        try:
            await self.served.wait()
        finally:
            self.waiting = False
        return {"Body": b"answer"}


@pytest.mark.parametrize(("service", "operation"), WAITING)
async def test_who_has_gone_keeps_no_place(service: str, operation: str) -> None:
    line, gone = Line(), asyncio.Event()

    async def has_gone() -> None:
        await gone.wait()

    call = Call(service, operation, "request", ANONYMOUS)
    waiting = asyncio.ensure_future(while_there(line.stand(), call, has_gone))
    async with asyncio.timeout(10):
        while not line.waiting:
            await asyncio.sleep(0)
        gone.set()
        with pytest.raises(Left):
            await waiting
        while line.waiting:
            await asyncio.sleep(0)


async def test_who_stays_is_answered_and_others_are_not_watched() -> None:
    line = Line()
    line.served.set()

    async def never() -> None:
        await asyncio.Event().wait()

    async def at_once() -> None:
        return

    invoke = Call("lambda", "Invoke", "request", ANONYMOUS)
    assert await while_there(line.stand(), invoke, never) == {"Body": b"answer"}
    put = Call("s3", "PutObject", "request", ANONYMOUS)
    assert await while_there(line.stand(), put, at_once) == {"Body": b"answer"}


async def test_nobody_is_looked_after_whose_answer_is_there_soon() -> None:
    line, looked = Line(), False

    async def looking() -> None:
        nonlocal looked
        looked = True

    invoke = Call("lambda", "Invoke", "request", ANONYMOUS)
    waiting = asyncio.ensure_future(while_there(line.stand(), invoke, looking))
    for _ in range(10):  # a few turns of the loop are not long
        await asyncio.sleep(0)
    line.served.set()
    assert await waiting == {"Body": b"answer"}
    assert not looked


async def test_who_is_stopped_by_somebody_else_has_not_left() -> None:
    line, looked = Line(), asyncio.Event()

    async def never() -> None:
        looked.set()
        await asyncio.Event().wait()

    invoke = Call("lambda", "Invoke", "request", ANONYMOUS)
    waiting = asyncio.ensure_future(while_there(line.stand(), invoke, never))
    await looked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not line.waiting
