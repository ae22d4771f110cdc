"""The Runtime API by raw bytes: what it serves, what it refuses, however the bytes arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from alight.functions.invocation import RESPONSE_LIMIT
from alight.functions.runtime_api import CONNECTION_LIMIT, Answer, RuntimeApi
from alight.functions.wire import HEAD_LIMIT, Request, RequestReader
from tests.unit.functions.bench import until


@dataclass
class Ear:
    """Remembers what the child did."""

    ready: int = 0
    answers: list[Answer] = field(default_factory=list)
    init_errors: list[bytes] = field(default_factory=list)

    def on_ready(self) -> None:
        self.ready += 1

    def on_answer(self, answer: Answer) -> None:
        self.answers.append(answer)

    def on_init_error(self, payload: bytes) -> None:
        self.init_errors.append(payload)


class Client:
    """One connection to the API."""

    def __init__(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.base = "/" + address.partition("/")[2] + "/2018-06-01/runtime/"
        self.reader, self.writer = reader, writer

    async def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} {self.base}{path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(body)}", "", ""]
        return await self.send("\r\n".join(lines).encode() + body)

    async def send(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        self.writer.write(raw)
        await self.writer.drain()
        return await self.receive()

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers.get("Content-Length", 0)))


class Pieces(asyncio.Protocol):
    """What was written to a connection, piece by piece."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.told.append(data)


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def api(ear: Ear) -> AsyncIterator[RuntimeApi]:
    made = RuntimeApi(ear)
    yield made
    made.close()


@pytest.fixture
async def connect(api: RuntimeApi) -> AsyncIterator[Connect]:
    address = await api.open()
    writers = []

    async def make() -> Client:
        port = int(address.partition("/")[0].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return Client(address, reader, writer)

    yield make
    for writer in writers:
        writer.close()


async def test_one_call(api: RuntimeApi, ear: Ear, connect: Connect) -> None:
    client = await connect()
    asking = asyncio.create_task(client.ask("GET", "invocation/next"))
    await until(lambda: bool(ear.ready))
    api.offer("r-1", {"Lambda-Runtime-Aws-Request-Id": "r-1"}, b'{"a": 1}')
    status, headers, body = await asking
    assert (status, headers["Lambda-Runtime-Aws-Request-Id"], body) == (200, "r-1", b'{"a": 1}')
    status, _, _ = await client.ask("POST", "invocation/r-1/response", b"[1]", "Content-Type: application/json")
    assert status == 202
    assert ear.answers == [Answer(b"[1]", False, "application/json")]
    assert (await client.ask("POST", "invocation/r-1/response", b"[2]"))[0] == 400  # answered once


async def test_work_that_is_there_first(api: RuntimeApi, ear: Ear, connect: Connect) -> None:
    api.offer("r-1", {}, b"1")
    client = await connect()
    assert (await client.ask("GET", "invocation/next"))[2] == b"1"
    assert (await client.ask("POST", "invocation/r-1/error", b"{}"))[0] == 202
    assert ear.answers == [Answer(b"{}", True, "")]


async def test_a_call_that_was_withdrawn(api: RuntimeApi, ear: Ear, connect: Connect) -> None:
    api.offer("r-1", {}, b"1")
    client = await connect()
    await client.ask("GET", "invocation/next")
    api.withdraw()
    assert (await client.ask("POST", "invocation/r-1/response", b"late"))[0] == 400
    assert ear.answers == []


async def test_who_asks_behind_its_answer_is_told_of_both_in_one_piece(
    api: RuntimeApi, ear: Ear, connect: Connect
) -> None:
    other = await connect()
    pieces = Pieces()
    host, port = other.writer.get_extra_info("peername")
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: pieces, host, port)
    question = f"GET {other.base}invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
    api.offer("r-1", {}, b"1")
    transport.write(question.encode())
    await until(lambda: len(pieces.told) == 1)
    answer = f"POST {other.base}invocation/r-1/response HTTP/1.1\r\nContent-Length: 1\r\n\r\n7"
    transport.write((answer + question).encode())
    await until(lambda: bool(ear.answers))
    assert ear.ready == 2
    await other.ask("GET", "nothing")
    assert len(pieces.told) == 1, "nothing before there is work"
    api.offer("r-2", {}, b"2")
    await until(lambda: len(pieces.told) == 2)
    assert pieces.told[1].startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert pieces.told[1].endswith(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2")
    # A refusal waits for nothing.
    transport.write((answer + question).encode())
    await until(lambda: len(pieces.told) == 3)
    assert pieces.told[2].startswith(b"HTTP/1.1 400 ")
    transport.close()


async def test_init_errors(ear: Ear, connect: Connect) -> None:
    client = await connect()
    assert (await client.ask("POST", "init/error", b'{"errorType": "X"}'))[0] == 202
    assert ear.init_errors == [b'{"errorType": "X"}']


@pytest.mark.parametrize(
    "target",
    ["/", "/2018-06-01/runtime/invocation/next", "//2018-06-01/runtime/invocation/next", "/TOKE/x", "/TOKENx/y", "*"],
)
async def test_without_the_token(ear: Ear, connect: Connect, target: str) -> None:
    client = await connect()
    token = client.base.split("/")[1]
    target = target.replace("TOKE", token[:-1])
    status, _, body = await client.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, json.loads(body)["errorType"]) == (403, "InvalidToken")
    assert await client.reader.read() == b""
    assert ear.ready == 0


@pytest.mark.parametrize("path", ["invocation/next/", "invocation/r-1/answer", "restore/next", "", "../next"])
async def test_unknown_paths(connect: Connect, path: str) -> None:
    assert (await (await connect()).ask("GET", path))[0] == 404


@pytest.mark.parametrize(
    "raw",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / SPDY/3\r\n\r\n", b"x" * 9000],
    ids=["nothing", "one word", "other protocol", "endless line"],
)
async def test_what_is_not_http(connect: Connect, raw: bytes) -> None:
    client = await connect()
    status, _, _ = await client.send(raw)
    assert status == 400
    assert await client.reader.read() == b""


@pytest.mark.parametrize("header", ["Content-Length: x", "Content-Length: -1", "no colon"])
async def test_bad_headers(connect: Connect, header: str) -> None:
    client = await connect()
    status, _, _ = await client.send(f"GET {client.base}invocation/next HTTP/1.1\r\n{header}\r\n\r\n".encode())
    assert status == 400


async def test_the_largest_answer(api: RuntimeApi, ear: Ear, connect: Connect) -> None:
    client = await connect()
    api.offer("r-1", {}, b"1")
    assert (await client.ask("POST", "invocation/r-1/response", b"x" * RESPONSE_LIMIT))[0] == 202
    assert len(ear.answers[0].payload) == RESPONSE_LIMIT
    api.offer("r-2", {}, b"2")
    assert (await client.ask("POST", "invocation/r-2/response", b"x" * (RESPONSE_LIMIT + 1)))[0] == 413
    assert ear.answers[1] == Answer(b"", False, "", too_large=True)
    api.offer("r-3", {}, b"3")
    assert (await client.ask("GET", "invocation/next"))[2] == b"3"


async def test_a_body_in_chunks_after_100_continue(api: RuntimeApi, ear: Ear, connect: Connect) -> None:
    client = await connect()
    api.offer("r-1", {}, b"1")
    head = f"POST {client.base}invocation/r-1/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue"
    assert (await client.send(head.encode() + b"\r\n\r\n"))[0] == 100
    assert (await client.send(b"3\r\n[1,\r\n2;ext=1\r\n2]\r\n0\r\nTrailer: x\r\n\r\n"))[0] == 202
    assert ear.answers == [Answer(b"[1,2]", False, "")]


async def test_connections_are_limited(connect: Connect) -> None:
    clients = [await connect() for _ in range(CONNECTION_LIMIT + 1)]
    assert (await clients[-1].receive())[0] == 503
    assert (await clients[0].ask("GET", "nothing"))[0] == 404


async def test_a_waiting_connection_that_goes_away_takes_no_work(api: RuntimeApi, ear: Ear, connect: Connect) -> None:
    gone = await connect()
    asking = asyncio.create_task(gone.ask("GET", "invocation/next"))
    await until(lambda: bool(ear.ready))
    asking.cancel()
    gone.writer.close()
    client = await connect()
    await until(lambda: api._waiting is None)
    api.offer("r-1", {}, b"1")
    assert (await client.ask("GET", "invocation/next"))[2] == b"1"


RAW = (
    b"POST /t/a HTTP/1.1\r\nA: 1\r\nContent-Length: 5\r\n\r\nhello"
    b"POST /t/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n1\r\n!\r\n0\r\n\r\n"
    b"GET /t/c HTTP/1.1\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1000])
def test_however_the_bytes_arrive(size: int) -> None:
    reader = RequestReader(limit=100, admit=lambda target: True)
    found: list[Request] = []
    for start in range(0, len(RAW), size):
        found += reader.feed(RAW[start : start + size], lambda: None)
    assert [(request.target, bytes(request.body)) for request in found] == [
        ("/t/a", b"hello"), ("/t/b", b"world!"), ("/t/c", b""),
    ]  # fmt: skip


def test_headers_have_an_end() -> None:
    reader = RequestReader(limit=100, admit=lambda target: True)
    with pytest.raises(ValueError, match="headers too long"):
        reader.feed(b"GET /t HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT, lambda: None)


def test_nothing_is_kept_for_strangers() -> None:
    reader = RequestReader(limit=100, admit=lambda target: False)
    with pytest.raises(PermissionError):
        reader.feed(b"POST /t HTTP/1.1\r\n", lambda: None)
