"""The hatch between a worker and the runtime: one call at a time, large answers in pieces, and nobody else's."""

from __future__ import annotations

import asyncio
import gc
import http.client
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from alight.functions.hatch import BODY_LIMIT, HEAD_LIMIT, Asked, open_hatch
from alight.functions.hatch_end import End
from alight.gateway.encode import Response
from tests.unit.functions.bench import Bench, answer

HOME = "http://127.0.0.1:4566/"
LARGE = bytes(range(256)) * 12_000


@dataclass
class Runtime:
    """Answers by the last step of the path."""

    asked: list[Asked] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, asked: Asked) -> Response | None:
        self.asked.append(asked)
        match asked.target.rpartition("/")[2]:
            case "usual":
                return None
            case "slow":
                await self.go.wait()
            case "fails":
                raise RuntimeError("a fault of ours")
            case "large" | "short" as name:
                return Response(200, [(b"x-note", b"a"), (b"x-note", b"b")], _pieces(name), len(LARGE))
        return Response(200, [], asked.body or b"empty", len(asked.body or b"empty"))


async def _pieces(name: str) -> AsyncIterator[bytes]:
    whole = LARGE if name == "large" else LARGE[:-1]
    for start in range(0, len(whole), 100_000):
        yield whole[start : start + 100_000]


def request(name: str, body: Any = None, **more: Any) -> Any:
    return SimpleNamespace(method="PUT", url=HOME + name, headers={"A": "b"}, body=body, stream_output=False, **more)


@pytest.fixture
async def runtime() -> Runtime:
    return Runtime()


@pytest.fixture
async def end(runtime: Runtime) -> AsyncIterator[End]:
    hatch, theirs = await open_hatch(runtime.answer)
    end = End(theirs.detach(), HOME, {})
    yield end
    end.shut()
    hatch.close()


async def ask(end: End, name: str, body: Any = None, streamed: bool = False) -> Any:
    asked = request(name, body)
    asked.stream_output = streamed
    return await asyncio.to_thread(end.ask, asked, 10.0)


async def test_calls_one_after_the_other(runtime: Runtime, end: End) -> None:
    for body in (b"x" * BODY_LIMIT, "ä", bytearray(b"b"), None):
        heard = await ask(end, "echo", body)
        assert heard.body == (body.encode() if isinstance(body, str) else body or b"empty")
    assert runtime.asked[-1].headers == {"host": "127.0.0.1:4566", "a": "b"}


async def test_nothing_of_a_call_is_kept_until_the_next(runtime: Runtime, end: End) -> None:
    body = b"once" * 1_000
    assert (await ask(end, "echo", body)).body == body
    runtime.asked.clear()
    assert not [one for one in gc.get_objects() if isinstance(one, Asked | Response) and one.body == body]


async def test_what_is_sent_the_usual_way_leaves_the_hatch_as_it_was(runtime: Runtime, end: End) -> None:
    assert await ask(end, "usual") is None
    for unfit in (request("a b"), request("x", b"x" * (BODY_LIMIT + 1)), request("x", open), request("é" * 9)):
        unfit.headers = {"A": "b"} if unfit.url != HOME + "é" * 9 else {"A": "b\nhost: c"}
        assert await asyncio.to_thread(end.ask, unfit, 10.0) is None
    assert [asked.target for asked in runtime.asked] == ["/usual"], "nothing of it was sent"
    assert (await ask(end, "echo")).status == 200


async def test_a_second_call_at_the_same_time_goes_the_usual_way(runtime: Runtime, end: End) -> None:
    first = asyncio.create_task(ask(end, "slow"))
    while not runtime.asked:
        await asyncio.sleep(0)
    assert await ask(end, "echo") is None
    runtime.go.set()
    assert (await first).status == 200
    assert (await ask(end, "echo")).status == 200


async def test_a_large_answer_is_read_as_it_is_wanted(end: End) -> None:
    heard = await ask(end, "large", streamed=True)
    assert heard.fields == {"x-note": "a, b"}
    first = await asyncio.to_thread(heard.body.read, 70_000)
    assert await ask(end, "echo") is None, "it is under way"
    assert first + await asyncio.to_thread(heard.body.read) == LARGE
    assert (await ask(end, "echo")).status == 200


async def test_an_answer_that_is_left_closes_the_hatch(end: End) -> None:
    """What is left of it would else be read as the next answer."""
    heard = await ask(end, "large", streamed=True)
    heard.body.close()
    assert await ask(end, "echo") is None


async def test_an_answer_that_breaks_off_closes_the_hatch(end: End) -> None:
    heard = await ask(end, "short", streamed=True)
    with pytest.raises(http.client.IncompleteRead):
        await asyncio.to_thread(heard.body.read)
    assert await ask(end, "echo") is None


async def test_a_fault_of_ours_closes_the_hatch(end: End) -> None:
    with pytest.raises(ConnectionResetError):
        await ask(end, "fails")
    assert await ask(end, "echo") is None


async def test_silence_beyond_the_limit_closes_the_hatch(end: End) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(end.ask, request("slow"), 0.05)
    assert await ask(end, "echo") is None


def call(head: bytes, body: bytes = b"") -> bytes:
    return struct.pack("!II", len(head), len(body)) + head + body


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!II", HEAD_LIMIT + 1, 0),
        struct.pack("!II", 3, BODY_LIMIT + 1),
        call(b"GET /slow") + call(b"GET /echo"),
        call(b"GET /echo\nno colon"),
        call(b"GET /echo\nA: b\na: c"),
    ],
)
async def test_what_is_no_call_closes_the_hatch(data: bytes, runtime: Runtime) -> None:
    _, theirs = await open_hatch(runtime.answer)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(theirs, data)
    with theirs:
        assert await asyncio.wait_for(loop.sock_recv(theirs, 100), 10) == b""
    assert not any("echo" in asked.target for asked in runtime.asked)


async def test_a_call_may_come_in_pieces(runtime: Runtime) -> None:
    hatch, theirs = await open_hatch(runtime.answer)
    for byte in call(b"GET /slow\nA: b", b"body"):
        assert not runtime.asked
        hatch.data_received(bytes([byte]))
    await asyncio.sleep(0)
    [asked] = runtime.asked
    assert (asked.method, asked.target, asked.headers, asked.body) == ("GET", "/slow", {"a": "b"}, b"body")
    runtime.go.set()
    theirs.close()


@pytest.mark.parametrize("under_way", [False, True])
async def test_a_worker_that_goes_ends_what_serves_it_but_no_call(under_way: bool, runtime: Runtime) -> None:
    before = asyncio.all_tasks()
    _, theirs = await open_hatch(runtime.answer)
    [serving] = asyncio.all_tasks() - before
    if under_way:
        theirs.sendall(call(b"GET /slow"))
        while not runtime.asked:
            await asyncio.sleep(0)
    theirs.close()
    if under_way:
        for _ in range(10):
            await asyncio.sleep(0)
        assert not serving.done()
        runtime.go.set()
    await asyncio.wait([serving], timeout=10)
    assert serving.cancelled() != under_way


async def test_the_next_call_may_come_while_the_last_answer_is_written(runtime: Runtime) -> None:
    """Who has read all of it asks again, whatever the writer still waits for."""
    hatch, theirs = await open_hatch(runtime.answer)
    theirs.setblocking(False)
    loop, heard = asyncio.get_running_loop(), b""
    with theirs:
        hatch.pause_writing()
        await loop.sock_sendall(theirs, call(b"GET /large"))
        heard += await loop.sock_recv(theirs, 1_000_000)
        await loop.sock_sendall(theirs, call(b"GET /echo"))
        await asyncio.sleep(0)
        hatch.resume_writing()
        while not heard.endswith(b"empty"):
            piece = await asyncio.wait_for(loop.sock_recv(theirs, 1_000_000), 10)
            assert piece
            heard += piece
    assert LARGE in heard


SOCKETS = """
import os, subprocess, sys

LIST = '''
import os
places = ["/proc/self/fd/" + name for name in os.listdir("/proc/self/fd")]
print(sum(os.readlink(place).startswith("socket:") for place in places if os.path.islink(place)))
'''

def handler(event, context):
    exec(LIST.replace("print", "found.append"), {"found": (found := [])})
    child = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, close_fds=False)
    return found + [int(child.stdout)]
"""


async def test_what_a_handler_starts_has_no_end_of_the_hatch(one_bench: Bench) -> None:
    async def nobody(key: str, token: str, asked: Asked) -> None:
        return None

    found: list[list[int]] = []
    for calls in (None, nobody):
        one_bench.pool.calls = calls
        found.append(answer(await one_bench.call(one_bench.spec(SOCKETS, name=f"sockets-{len(found)}"))))
    (without, child), (with_one, its_child) = found
    assert (with_one, its_child) == (without + 1, child)


def test_the_two_ends_agree() -> None:
    from alight.functions import hatch, hatch_end

    assert (hatch_end.HEAD_LIMIT, hatch_end.BODY_LIMIT) == (hatch.HEAD_LIMIT, hatch.BODY_LIMIT)
    assert (hatch_end._ASK.format, hatch_end._HEARD.format) == (hatch._ASKED.format, hatch._ANSWERED.format)
