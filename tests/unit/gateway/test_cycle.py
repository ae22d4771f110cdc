"""An answer's way out says byte for byte what uvicorn's own says, and refuses what it refuses."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from alight.gateway.cycle import Cycle

Message = dict[str, Any]


class Transport:
    """What was written, and whether it was closed after it."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Flow:
    write_paused = False


def start(status: int, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


LENGTH = (b"content-length", b"3")
ANSWERS: list[list[Message]] = [
    [start(200, LENGTH, (b"X-Mixed", b"a\xff")), body(b"abc")],
    [start(200, LENGTH), body(b"a", True), body(b"bc")],
    [start(200), body(b"abc", True), body(b"", True), body(b"d")],
    [start(200, (b"Transfer-Encoding", b"Chunked")), body(b"abc"), body()],
    [start(200, LENGTH, (b"transfer-encoding", b"chunked")), body(b"abcd")],
    [start(200, LENGTH, (b"Connection", b"keep-alive, Close")), body(b"abc")],
    [start(200, LENGTH, (b"connection", b"upgrade")), body(b"abc")],
    [start(204), body()],
    [start(304, (b"etag", b'"x"')), body()],
    [start(200, LENGTH), body(b"abcd")],
    [start(200, LENGTH), body(b"ab")],
    [start(200, LENGTH), body(b"abc"), body()],
    [start(200, (b"content-length", b"x"))],
    [start(200, (b"bad name", b"x"))],
    [start(200, (b"name", b"bad\r\nvalue: x"))],
    [start(200, (b"name", b"bad\0"))],
    [body(b"abc")],
    [start(200, LENGTH), start(200)],
]


def cycle_of(
    kind: type[RequestResponseCycle], transport: Transport, method: str, keep_alive: bool, ended: list[bool]
) -> RequestResponseCycle:
    return kind(
        scope={"method": method},  # type: ignore[typeddict-item]
        transport=transport,  # type: ignore[arg-type]
        flow=Flow(),  # type: ignore[arg-type]
        logger=logging.getLogger("a"),
        access_logger=logging.getLogger("a"),
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        expect_100_continue=True,
        keep_alive=keep_alive,
        on_response=lambda: ended.append(True),
    )


async def told(kind: type[RequestResponseCycle], method: str, keep_alive: bool, messages: list[Message]) -> object:
    transport, ended = Transport(), list[bool]()
    cycle = cycle_of(kind, transport, method, keep_alive, ended)
    said = ""
    try:
        for message in messages:
            await cycle.send(message)  # type: ignore[arg-type]
    except RuntimeError as error:
        said = str(error)
    except ValueError:
        said = "no number"
    await asyncio.sleep(0)
    facts = (cycle.response_started, cycle.response_complete, cycle.keep_alive, cycle.waiting_for_100_continue)
    return transport.written, transport.closed, ended, said, facts, cycle.message_event.is_set()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("messages", ANSWERS)
async def test_it_is_uvicorns(method: str, keep_alive: bool, messages: list[Message]) -> None:
    ours, theirs = [await told(kind, method, keep_alive, messages) for kind in (Cycle, RequestResponseCycle)]
    assert ours == theirs


@pytest.mark.parametrize(("size", "writes"), [(0, 1), (3, 1), (64 * 1024, 1), (64 * 1024 + 1, 2)])
async def test_head_and_body_leave_together(size: int, writes: int) -> None:
    transport = Transport()
    cycle = cycle_of(Cycle, transport, "GET", True, [])
    await cycle.send(start(200, (b"content-length", b"%d" % size)))  # type: ignore[arg-type]
    await cycle.send(body(bytes(size)))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert transport.writes == writes
    assert transport.written.endswith(b"\r\n\r\n" + bytes(size))


async def test_a_head_does_not_wait_for_a_body_that_is_not_there() -> None:
    transport = Transport()
    cycle = cycle_of(Cycle, transport, "GET", True, [])
    await cycle.send(start(200, LENGTH))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert transport.written.endswith(b"content-length: 3\r\n\r\n")
    await cycle.send(body(b"abc"))  # type: ignore[arg-type]
    assert transport.written.endswith(b"content-length: 3\r\n\r\nabc")
