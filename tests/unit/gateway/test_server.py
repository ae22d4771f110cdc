"""Raw bytes on real sockets: what is malformed, too large, too slow, or asked for by a wrong name."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from alight import openfiles
from alight.calls import Call, Members
from alight.clock import ManualClock
from alight.errors import AlightError
from alight.gateway.asgi import Gateway
from alight.gateway.mounts import Mount
from alight.gateway.server import SPELLING, Limits, Server, serve
from tests.unit.gateway.signing import NOW, lookup, sha256, signed_scope

QUICK = Limits(head=0.4, keep_alive=0.4, body_idle=0.4, body_rate=100, write_idle=0.4)
#: What does not come at all has not come by now, on however busy a machine.
PATIENCE = 30


class Store:
    """Keeps what was put, if all of it came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.broken = 0

    async def put_object(self, call: Call, given: Members) -> Members:
        try:
            self.bodies.append(b"".join([piece async for piece in given["Body"]]))
        except Exception:
            self.broken += 1
            raise
        return {"ETag": '"e"'}

    async def delete_objects(self, call: Call, given: Members) -> Members:
        return {"Deleted": [{"Key": item["Key"]} for item in given["Delete"]["Objects"]]}

    async def get_object(self, call: Call, given: Members) -> Members:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1_000_000

        return {"Body": pieces(), "ContentLength": 10**12}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def store() -> Store:
    return Store()


def app(store: Store) -> Gateway:
    operations = {
        ("s3", "PutObject"): store.put_object,
        ("s3", "GetObject"): store.get_object,
        ("s3", "DeleteObjects"): store.delete_objects,
    }
    mounts: dict[str, Any] = {
        "/_alight/": hello,
        "/open/": Mount(hello, any_origin=True),
        "execute-api": Mount(hello, any_origin=True),
    }
    return Gateway(operations=operations, keys=lookup, clock=ManualClock(NOW), mounts=mounts)


@pytest.fixture
async def server(store: Store) -> AsyncIterator[Server]:
    running = await serve(app(store))
    yield running
    await running.stop(0.2)


@pytest.fixture
async def quick(store: Store) -> AsyncIterator[Server]:
    running = await serve(app(store), limits=QUICK)
    yield running
    await running.stop(0.2)


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, server: Server) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one response; status 0 where the connection was closed without one."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, {}, b""
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = (
            await self.reader.readexactly(int(headers.get("content-length", "0"))) if lines[0][9:12] != "100" else b""
        )
        return int(lines[0][9:12]), headers, body

    async def is_closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def asked(server: Server, data: bytes) -> tuple[int, dict[str, str], bytes]:
    wire = await Wire.to(server)
    await wire.send(data)
    found = await wire.answer()
    await wire.close()
    return found


def put(server: Server, body: bytes = b"hello", said: str | None = None, url: str = "/b/k", method: str = "PUT",
        **headers: str) -> bytes:  # fmt: skip
    """A signed request's head (without content-length)."""
    scope = signed_scope(method, url, body, said=said or sha256(body), host=f"127.0.0.1:{server.port}", headers=headers)
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    lines = b"".join(b"%s: %s\r\n" % pair for pair in scope["headers"])
    return b"%s %s HTTP/1.1\r\n%s" % (method.encode(), url.encode(), lines)


def host(server: Server) -> bytes:
    return b"Host: 127.0.0.1:%d\r\n" % server.port


async def test_put_and_keep_alive(server: Server, store: Store) -> None:
    wire = await Wire.to(server)
    for _ in range(3):
        await wire.send(put(server) + b"content-length: 5\r\n\r\nhello")
        status, headers, _ = await wire.answer()
        assert (status, headers["etag"]) == (200, '"e"')
        assert "connection" not in headers
    assert store.bodies == [b"hello"] * 3
    await wire.close()


async def test_transfer_in_chunks(server: Server, store: Store) -> None:
    head = put(server, said="UNSIGNED-PAYLOAD") + b"transfer-encoding: chunked\r\n\r\n"
    status, _, _ = await asked(server, head + b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
    assert (status, store.bodies) == (200, [b"hello!"])


async def test_what_trails_a_body_is_no_header() -> None:
    heard: list[Any] = []

    async def reader(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        heard.extend((scope["headers"], scope["extensions"][SPELLING]["headers"]))
        await hello(scope, receive, send)

    running = await serve(reader)
    told = b"PUT / HTTP/1.1\r\nHost: a\r\nX-Amz-Acl: private\r\ntransfer-encoding: chunked\r\n\r\n"
    assert (await asked(running, told + b"1\r\n!\r\n0\r\nX-Amz-Acl: public-read\r\n\r\n"))[0] == 200
    await running.stop(0.2)
    headers, spelled = heard
    assert headers == [(b"host", b"a"), (b"x-amz-acl", b"private"), (b"transfer-encoding", b"chunked")]
    assert spelled == [(b"Host", b"a"), (b"X-Amz-Acl", b"private"), (b"transfer-encoding", b"chunked")]


async def test_expect_100_continue(server: Server, store: Store) -> None:
    wire = await Wire.to(server)
    await wire.send(put(server) + b"content-length: 5\r\nexpect: 100-continue\r\n\r\n")
    assert (await wire.answer())[0] == 100
    await wire.send(b"hello")
    assert (await wire.answer())[0] == 200
    assert store.bodies == [b"hello"]
    await wire.close()


async def test_a_refused_body_is_not_asked_for(server: Server) -> None:
    wire = await Wire.to(server)
    forged = put(server).replace(b"Signature=", b"Signature=0")[: -len(b"x")]
    await wire.send(forged + b"\ncontent-length: 5000000\r\nexpect: 100-continue\r\n\r\n")
    status, headers, body = await wire.answer()
    assert (status, headers["connection"]) == (400, "close")
    assert b"AuthorizationHeaderMalformed" in body
    await wire.close()


async def test_a_refused_body_on_its_way_does_not_lose_the_answer(server: Server, store: Store) -> None:
    wire = await Wire.to(server)
    body = b"x" * 3_000_000
    await wire.send(put(server, b"other").replace(b"/b/k", b"/b/j") + b"content-length: %d\r\n\r\n" % len(body))
    await wire.send(body)
    status, headers, answer = await wire.answer()
    assert (status, headers["connection"]) == (403, "close")
    assert b"SignatureDoesNotMatch" in answer
    assert await wire.is_closed()
    await wire.close()
    assert store.bodies == []


async def test_a_small_refused_body_keeps_the_connection(server: Server) -> None:
    wire = await Wire.to(server)
    await wire.send(put(server).replace(b"/b/k", b"/b/j") + b"content-length: 5\r\n\r\nhello")
    assert (await wire.answer())[0] == 403
    await wire.send(put(server) + b"content-length: 5\r\n\r\nhello")
    assert (await wire.answer())[0] == 200
    await wire.close()


@pytest.mark.parametrize("cut", [0, 1, 4])
async def test_a_body_that_breaks_off_is_never_taken(server: Server, store: Store, cut: int) -> None:
    wire = await Wire.to(server)
    await wire.send(put(server) + b"content-length: 5\r\n\r\n" + b"hello"[:cut])
    await wire.close()
    await until(lambda: store.broken == 1)
    assert store.bodies == []


async def test_a_body_other_than_signed(server: Server, store: Store) -> None:
    status, _, body = await asked(server, put(server) + b"content-length: 5\r\n\r\njello")
    assert (status, store.bodies) == (400, [])
    assert b"XAmzContentSHA256Mismatch" in body


@pytest.mark.parametrize("extra", [b"", b"x" * 65_536])
async def test_a_buffered_body_over_the_limit_is_refused_before_it_is_read(server: Server, extra: bytes) -> None:
    body_size = 10 * 1024 * 1024 + 1
    head = put(server, said="UNSIGNED-PAYLOAD", url="/b?delete", method="POST")
    status, headers, body = await asked(server, head + b"content-length: %d\r\n\r\n" % body_size + extra)
    assert (status, headers["connection"]) == (413, "close")
    assert b"EntityTooLarge" in body


async def test_a_chunked_body_over_the_limit(server: Server) -> None:
    wire = await Wire.to(server)
    head = put(server, said="UNSIGNED-PAYLOAD", url="/b?delete", method="POST")
    await wire.send(head + b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(11):
        await wire.send(b"100000\r\n" + b"x" * 1_048_576 + b"\r\n")
    assert (await wire.answer())[0] == 413
    await wire.close()


HEADERS = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", (400,)),
        (HEADERS + b"Host: localhost\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\nHost: localhost/\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\nHost: localhost?\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\nHost: localhost#\r\n\r\n", (400,)),
        (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
        (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
        (b"GET /# HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
        (b"GET /% HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
        (b"GARBAGE\r\n\r\n", (400,)),
        (b"\x16\x03\x01\x02\x00\x01\x00", (400,)),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: -1\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: x\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: 1, 1\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: +1\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: 99999999999999999999999\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", (400,)),
        (HEADERS + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
        (HEADERS + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", (400,)),
        (HEADERS + b"Transfer-Encoding: gzip\r\n\r\n", (400,)),
        (HEADERS + b"Transfer-Encoding: gzip, chunked\r\n\r\n", (400,)),
        (HEADERS + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", (400,)),
        (HEADERS + b"Transfer-Encoding: xchunked\r\n\r\n", (400,)),
        (HEADERS + b"Name : value\r\n\r\n", (400,)),
        (HEADERS + b" folded: value\r\n\r\n", (400,)),
        (HEADERS + b"a: b\r\n c\r\n\r\n", (400,)),
        (HEADERS + b"a: b\x00c\r\n\r\n", (400,)),
        (HEADERS + b"a\x01b: c\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\nHost: localhost\n\n", (400,)),
        (HEADERS + b"a: b\nc: d\r\n\r\n", (400,)),
        (HEADERS + b"a: b\rc: d\r\n\r\n", (400,)),
        (b"GET /" + b"a" * 8_300 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", (414,)),
        (HEADERS + b"a: " + b"b" * 10_300 + b"\r\n\r\n", (431,)),
        (HEADERS + b"".join(b"h%d: v\r\n" % number for number in range(1_000)) + b"\r\n", (431,)),
        (HEADERS + b"a: " + b"b" * 1_000_000, (431,)),
    ],
)
async def test_malformed_requests(server: Server, data: bytes, statuses: tuple[int, ...]) -> None:
    wire = await Wire.to(server)
    await wire.send(data.replace(b"Host: localhost\r\n", host(server)))
    status, _, body = await wire.answer()
    assert status in statuses
    assert b"Traceback" not in body
    await wire.close()
    assert (await asked(server, b"GET /_alight/ HTTP/1.1\r\n" + host(server) + b"\r\n"))[0] == 200


async def test_bad_chunks_of_a_body(server: Server, store: Store) -> None:
    head = put(server, said="UNSIGNED-PAYLOAD") + b"transfer-encoding: chunked\r\n\r\n"
    for frames in (b"5\r\nhelloX", b"-1\r\n", b"g\r\n", b"5\nhello\n0\n\n", b"5\r\nhello\r\nffffffffffffffffff\r\n"):
        status, _, _ = await asked(server, head + frames)
        assert status in (0, 400)
    assert store.bodies == []


@pytest.mark.parametrize("endless", [b"1;" + b"e" * 600_000, b"1\r\na\r\n0\r\nname: " + b"v" * 600_000])
async def test_what_stands_beside_a_body_is_no_longer_than_a_head(server: Server, store: Store, endless: bytes) -> None:
    head = put(server, said="UNSIGNED-PAYLOAD") + b"transfer-encoding: chunked\r\n\r\n"
    assert (await asked(server, head + endless))[0] == 431
    assert store.bodies == []


VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"]


@pytest.mark.parametrize(
    "path", ["/", "/b/k", "/_alight/", "/_alight/health", "/open/", "/?Action=ConfirmSubscription"]
)
async def test_a_wrong_name_gets_nowhere(server: Server, path: str) -> None:
    for verb in VERBS:
        for name in (b"evil.example", b"0.0.0.0:%d" % server.port, b"127.0.0.1:1", b"[::ffff:127.0.0.1]"):
            status, _, body = await asked(
                server, b"%s %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (verb.encode(), path.encode(), name)
            )
            assert status == 421
            assert b"hello" not in body


async def test_mounts(server: Server) -> None:
    async def ask(verb: bytes, path: bytes, name: bytes = b"", more: bytes = b"") -> int:
        line = b"Host: %s\r\n" % name if name else host(server)
        return (await asked(server, b"%s %s HTTP/1.1\r\n" % (verb, path) + line + more + b"\r\n"))[0]

    foreign = b"Origin: http://evil.example\r\n"
    assert await ask(b"GET", b"/_alight/console") == 200
    assert await ask(b"GET", b"/_alight") == 200
    assert await ask(b"GET", b"/_alightx") == 403
    assert await ask(b"GET", b"/x/_alight/") == 403
    assert await ask(b"GET", b"/_alight/", b"pics.localhost") == 403
    assert await ask(b"POST", b"/_alight/", b"", foreign) == 403
    assert await ask(b"POST", b"/open/x", b"", foreign) == 200
    assert await ask(b"POST", b"/prod/x", b"abc.execute-api.localhost", foreign) == 200
    assert await ask(b"POST", b"/prod/x", b"abc.execute-api.us-east-1.localhost") == 200
    assert await ask(b"GET", b"/prod/x", b"execute-api.localhost") == 403
    assert await ask(b"GET", b"/prod/x", b"a.b.c.execute-api.localhost") == 200
    # A bucket of such a name stays a bucket.
    assert await ask(b"GET", b"/prod/x", b"abc.execute-api.s3.localhost") == 403
    assert await ask(b"GET", b"/prod/x", b"abc.execute-api.pics.s3.localhost") == 403


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def is_cut_off(wire: Wire) -> bool:
    return b"200 OK" not in await asyncio.wait_for(wire.reader.read(), PATIENCE)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nx: "])
async def test_a_head_has_a_deadline(quick: Server, begun: bytes) -> None:
    wire = await Wire.to(quick)
    if begun:
        await wire.send(begun)
    assert await is_cut_off(wire)
    await wire.close()


async def dribble(wire: Wire, data: Iterator[bytes], pause: float) -> None:
    try:
        for piece in data:
            await wire.send(piece)
            await asyncio.sleep(pause)
    except ConnectionError:
        return


@contextlib.asynccontextmanager
async def dribbling(wire: Wire, data: Iterator[bytes]) -> AsyncIterator[None]:
    task = asyncio.create_task(dribble(wire, data, 0.05))
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_a_dribbled_head_is_cut_off(quick: Server) -> None:
    wire = await Wire.to(quick)
    async with dribbling(wire, itertools.repeat(b"x")):
        assert await is_cut_off(wire)
    await wire.close()


async def test_a_body_that_stops_is_cut_off(quick: Server, store: Store) -> None:
    wire = await Wire.to(quick)
    await wire.send(put(quick) + b"content-length: 5\r\n\r\nhel")
    assert await is_cut_off(wire)
    await until(lambda: store.broken == 1)
    await wire.close()


async def test_a_dribbled_body_is_cut_off(quick: Server, store: Store) -> None:
    wire = await Wire.to(quick)
    await wire.send(put(quick, b"x" * 1000) + b"content-length: 1000\r\n\r\n")
    async with dribbling(wire, itertools.repeat(b"x", 1000)):
        assert await is_cut_off(wire)
    await until(lambda: store.broken == 1)
    assert store.bodies == []
    await wire.close()


async def test_a_slow_but_steady_body_is_taken(quick: Server, store: Store) -> None:
    wire = await Wire.to(quick)
    body = b"x" * 10_000
    await wire.send(put(quick, body) + b"content-length: 10000\r\n\r\n")
    await dribble(wire, (body[at : at + 500] for at in range(0, 10_000, 500)), 0.04)
    assert (await wire.answer())[0] == 200
    assert store.bodies == [body]
    await wire.close()


async def test_nobody_is_cut_off_for_a_pause_of_our_own(quick: Server, store: Store) -> None:
    wire = await Wire.to(quick)
    await wire.send(put(quick) + b"content-length: 5\r\n\r\nh")
    await until(lambda: has_begun(quick))
    time.sleep(2 * QUICK.body_idle)  # nothing here runs, as where the process is stopped or the machine is asleep
    for piece in (b"el", b"lo"):
        await wire.send(piece)
        await asyncio.sleep(QUICK.body_idle / 4)
    assert (await wire.answer())[0] == 200
    assert store.bodies == [b"hello"]
    await wire.close()


async def test_an_idle_connection_is_closed_and_a_busy_one_not(quick: Server) -> None:
    wire = await Wire.to(quick)
    for _ in range(8):
        await wire.send(b"GET /_alight/ HTTP/1.1\r\n" + host(quick) + b"\r\n")
        assert (await wire.answer())[0] == 200
        await asyncio.sleep(0.1)
    assert await is_cut_off(wire)
    await wire.close()


async def test_a_client_that_does_not_read_is_cut_off(quick: Server) -> None:
    wire = await Wire.to(quick)
    await wire.send(put(quick, b"", method="GET") + b"\r\n")
    await until(lambda: len(connections(quick)) == 1)
    await until(lambda: len(connections(quick)) == 0)
    await wire.close()


def connections(server: Server) -> set[Any]:
    return server._inner.server_state.connections


def has_begun(server: Server) -> bool:
    """Whether a request is under way."""
    return any(one.cycle is not None for one in connections(server))


async def test_good_clients_do_not_wait_for_slow_ones(quick: Server) -> None:
    slow = [await Wire.to(quick) for _ in range(100)]
    for wire in slow:
        await wire.send(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(20):
        assert (await asked(quick, b"GET /_alight/ HTTP/1.1\r\n" + host(quick) + b"\r\n"))[0] == 200
    for wire in slow:
        assert await is_cut_off(wire)
        await wire.close()


async def test_too_many_connections(store: Store) -> None:
    server = await serve(app(store), limits=Limits(connections=3))
    wires = [await Wire.to(server) for _ in range(3)]
    for wire in wires:
        await wire.send(b"GET /_alight/ HTTP/1.1\r\n" + host(server) + b"\r\n")
        assert (await wire.answer())[0] == 200
    fourth = await Wire.to(server)
    assert (await fourth.answer())[0] in (0, 503)
    for wire in (*wires, fourth):
        await wire.close()
    await server.stop(0.2)


async def test_two_sockets_have_one_count_of_places(store: Store) -> None:
    peers = Counter[str]()
    both = [await serve(app(store), limits=Limits(connections=3), peers=peers) for _ in range(2)]
    wires = [await Wire.to(server) for server in (*both, both[0])]
    for wire, server in zip(wires, (*both, both[0]), strict=True):
        await wire.send(b"GET /_alight/ HTTP/1.1\r\n" + host(server) + b"\r\n")
        assert (await wire.answer())[0] == 200
    fourth = await Wire.to(both[1])
    assert (await fourth.answer())[0] == 503
    for wire in (*wires, fourth):
        await wire.close()
    for server in both:
        await server.stop(0.2)
    assert not peers


async def test_strangers_leave_places_for_our_own_address(store: Store) -> None:
    server = await serve(app(store), limits=Limits(connections=8))

    async def begin(source: str) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", server.port, local_addr=(source, 0)))

    async def status(wire: Wire) -> int:
        await wire.send(b"GET /_alight/ HTTP/1.1\r\n" + host(server) + b"\r\n")
        return (await wire.answer())[0]

    wires = [await begin(f"127.0.0.{number}") for number in range(2, 9)]
    assert [await status(wire) for wire in wires] == [200] * 7
    wires.append(await begin("127.0.0.9"))
    assert (await wires[-1].answer())[0] == 503
    await wires[-1].close()
    await until(lambda: len(connections(server)) == 7)
    wires.append(await begin("127.0.0.1"))
    assert await status(wires[-1]) == 200
    for wire in wires:
        await wire.close()
    await server.stop(0.2)


async def test_an_address_in_use(server: Server) -> None:
    with pytest.raises(AlightError, match=f"127.0.0.1:{server.port}"):
        await serve(hello, port=server.port)


async def test_stop_lets_a_running_request_end(store: Store) -> None:
    server = await serve(app(store))
    wire = await Wire.to(server)
    await wire.send(put(server) + b"content-length: 5\r\n\r\nhel")
    await until(lambda: has_begun(server))
    stopping = asyncio.create_task(server.stop(PATIENCE))
    await until(lambda: server._inner.should_exit)
    await wire.send(b"lo")
    assert (await wire.answer())[0] == 200
    await stopping
    assert store.bodies == [b"hello"]
    await wire.close()


async def test_stop_cuts_off_after_its_grace(store: Store) -> None:
    server = await serve(app(store))
    wire = await Wire.to(server)
    await wire.send(put(server) + b"content-length: 5\r\n\r\nhel")
    await until(lambda: has_begun(server))
    await asyncio.wait_for(server.stop(0.2), PATIENCE)
    assert store.bodies == []
    await wire.close()


async def test_one_peer_does_not_get_all_the_places(store: Store) -> None:
    server = await serve(app(store), limits=Limits(peer_connections=3))

    async def begin(source: str) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", server.port, local_addr=(source, 0)))

    async def status(wire: Wire) -> int:
        await wire.send(b"GET /_alight/ HTTP/1.1\r\n" + host(server) + b"\r\n")
        return (await wire.answer())[0]

    wires = [await begin("127.0.0.2") for _ in range(3)]
    assert [await status(wire) for wire in wires] == [200] * 3
    # The fourth of one peer is told to wait; others, and this machine's own address, are served
    wires.append(await begin("127.0.0.2"))
    assert (await wires[-1].answer())[0] == 503
    wires += [await begin(source) for source in ("127.0.0.3", *["127.0.0.1"] * 5)]
    assert [await status(wire) for wire in wires[4:]] == [200] * 6
    # A place that is given back is free
    await wires[0].close()
    await wires[3].close()
    await until(lambda: len(connections(server)) == 8)
    wires.append(await begin("127.0.0.2"))
    assert await status(wires[-1]) == 200
    for wire in wires[1:3] + wires[4:]:
        await wire.close()
    await until(lambda: not connections(server))
    protocol: Any = server._inner.config.http_protocol_class
    assert not protocol.peers
    await server.stop(0.2)


def test_connections_leave_descriptors_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, wanted in ((65_536, 65_024), (4_096, 3_584), (1_024, 512), (256, 128)):
        monkeypatch.setattr("resource.getrlimit", lambda kind, soft=soft: (soft, soft))
        assert openfiles.for_connections() == wanted


async def test_no_more_connections_than_descriptors(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: (6, 6))
    server = await serve(app(store))
    monkeypatch.undo()
    wires = [await Wire.to(server) for _ in range(3)]
    for wire in wires:
        await wire.send(b"GET /_alight/ HTTP/1.1\r\n" + host(server) + b"\r\n")
        assert (await wire.answer())[0] == 200
    fourth = await Wire.to(server)
    assert (await fourth.answer())[0] == 503
    for wire in (*wires, fourth):
        await wire.close()
    await server.stop(0.2)


def test_the_soft_limit_is_raised() -> None:
    """In a process of its own: a limit that is lowered for good stays so."""
    program = """
import resource
from alight import openfiles
for soft, hard in ((300, 2000), (300, 300)):
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(openfiles.attainable(), openfiles.raise_limit())
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.split() == ["2000", "2000", "300", "300"]
