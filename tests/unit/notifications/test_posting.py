"""The client of webhooks, beside servers that say what they like: on asyncio's loop, and on the runtime's own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from alight.clock import ManualClock, SystemClock
from alight.notifications.channels import posting
from alight.notifications.channels.addresses import Gate
from alight.notifications.channels.connecting import first_connected
from alight.notifications.channels.posting import Answer, Posts, head
from alight.notifications.policy import Failed
from tests.unit.notifications.authority import Authority

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
LOOPBACK = ("127.0.0.1", "::1")


def on_both_loops(story: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[str], None]:
    @pytest.mark.parametrize("loop", LOOPS)
    def test(loop: str) -> None:
        stumbled: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: stumbled.append(context))
            runner.run(asyncio.wait_for(story(), 30))
        assert stumbled == []

    return test


@dataclass(frozen=True)
class Say:
    """What is written once a request is there; and whether the connection is closed behind it, or cut at once."""

    text: bytes
    close: bool = False
    cut: bool = False


@dataclass
class Server:
    """`requests` as they came, and of how many connections; `left` counts those that have ended."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    left: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@asynccontextmanager
async def served(*script: Say, tls: ssl.SSLContext | None = None, read: bool = True) -> AsyncIterator[Server]:
    """A server whose n-th request gets the n-th of `script`, and all that follow the last one."""
    server = Server()

    async def request(reader: asyncio.StreamReader) -> bytes:
        text = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in text.split(b"\r\n") if line.startswith(b"Content-Length"))
        return text + (await reader.readexactly(length) if read else b"")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, asyncio.CancelledError):
            while True:
                server.requests.append(await request(reader))
                said = script[min(len(server.requests), len(script)) - 1]
                writer.write(said.text)
                if said.cut:
                    writer.transport.abort()
                if said.close:
                    break
        server.left += 1
        writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for writer in server.writers:
            writer.transport.abort()


@asynccontextmanager
async def posting_by(gate: Gate | None = None, **given: Any) -> AsyncIterator[Posts]:
    posts = Posts(gate or Gate(LOOPBACK), given.pop("clock", SystemClock()), **given)
    try:
        yield posts
    finally:
        posts.close()


async def post(posts: Posts, url: str, body: bytes = b"hello", deadline: float = 20.0) -> Answer:
    place = posts.place(url)
    return await posts.post(place, place.begin + b"Content-Length: %d\r\n\r\n" % len(body) + body, deadline)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def failure(asked: Awaitable[Answer]) -> Failed:
    with pytest.raises(Failed) as caught:
        await asked
    return caught.value


@on_both_loops
async def test_one_connection_serves_one_after_the_other_and_its_name_is_looked_up_once() -> None:
    asked: list[str] = []

    async def lookup(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with served(Say(FINE)) as server, posting_by(Gate(LOOPBACK, lookup)) as posts:
        for number in range(3):
            answer = await post(posts, f"http://hook.example:{server.port}/{number}")
            assert (answer.status, answer.body) == (200, b"fine")
    assert (server.connections, asked) == (1, ["hook.example"])
    assert [text.split(b" ")[1] for text in server.requests] == [b"/0", b"/1", b"/2"]


@on_both_loops
async def test_two_at_once_have_a_connection_each() -> None:
    async with served(Say(FINE)) as server, posting_by() as posts:
        await asyncio.gather(*(post(posts, server.url) for _ in range(2)))
        await asyncio.gather(*(post(posts, server.url) for _ in range(2)))
    assert (server.connections, len(server.requests)) == (2, 4)


CHUNKED = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n3\r\nbus\r\n1\r\ny\r\n0\r\n\r\n"
ANSWERS: dict[str, tuple[Say, Answer, bool]] = {
    "a length": (Say(FINE), Answer(200, "", b"fine"), True),
    "in chunks": (Say(CHUNKED), Answer(503, "7", b"busy"), True),
    "no body": (Say(b"HTTP/1.1 204 No Content\r\n\r\n"), Answer(204, "", b""), True),
    "up to the end": (Say(b"HTTP/1.1 200 OK\r\n\r\nfine", close=True), Answer(200, "", b"fine"), False),
    "the last one": (
        Say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        Answer(200, "", b""),
        False,
    ),
    "of old": (Say(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), Answer(200, "", b""), False),
    "one that goes before": (Say(b"HTTP/1.1 100 Continue\r\n\r\n" + FINE), Answer(200, "", b"fine"), True),
    "several that go before": (
        Say(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + CHUNKED),
        Answer(503, "7", b"busy"),
        True,
    ),
    "another protocol": (
        Say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        Answer(101, "", b""),
        False,
    ),
    "a redirect": (
        Say(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        Answer(302, "", b""),
        True,
    ),
    "two": (Say(FINE + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), Answer(200, "", b"fine"), False),
    "what goes before speaks for itself alone": (
        Say(
            b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\nRetry-After: 9\r\n\r\nHTTP/1.1 503 No\r\n\r\nfine",
            close=True,
        ),
        Answer(503, "", b"fine"),
        False,
    ),
    "what stands behind says nothing": (
        Say(CHUNKED[:-2] + b"Retry-After: 9\r\n\r\n"),
        Answer(503, "7", b"busy"),
        True,
    ),
    "an endless end": (
        Say(CHUNKED[:-2] + b"X: " + b"x" * 200_000),
        Answer(503, "7", b"busy"),
        False,
    ),
    "endless frames": (
        Say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;" + b"x" * 200_000),
        Answer(200, "", b""),
        False,
    ),
    "too much": (
        Say(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000),
        Answer(200, "", b"x" * 500),
        False,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_servers_answer(name: str) -> None:
    """Read to its end, and its connection used again, or not."""
    said, expected, reused = ANSWERS[name]

    @on_both_loops
    async def answered() -> None:
        async with served(said) as server, posting_by() as posts:
            for _ in range(2):
                assert await post(posts, server.url) == expected
        assert server.connections == (1 if reused else 2)

    for loop in LOOPS:
        answered(loop)


BROKEN = {
    "nothing": Say(b"", close=True),
    "a reset": Say(b"", cut=True),
    "half a head": Say(b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
    "half a body": Say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", close=True),
    "half a chunk": Say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", close=True),
    "only what goes before": Say(b"HTTP/1.1 100 Continue\r\n\r\n", close=True),
    "another language": Say(b"220 mail.example ESMTP\r\n"),
    "two lengths": Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "length and chunks": Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "an endless line": Say(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
    "endless headers": Say(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 50_000),
    "endlessly before": Say(b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_answer_is_uncertain(name: str) -> None:
    @on_both_loops
    async def broken() -> None:
        async with served(BROKEN[name]) as server, posting_by() as posts:
            failed = await failure(post(posts, server.url))
            assert (failed.uncertain, failed.permanent) == (True, False)
            assert str(failed).startswith("connection lost: ")
            await until(lambda: server.left == 1 or BROKEN[name].cut)
            # Nothing is sent again by itself.
            assert len(server.requests) == 1

    for loop in LOOPS:
        broken(loop)


@on_both_loops
async def test_what_comes_unasked_is_no_answer_to_the_next_request() -> None:
    async with served(Say(FINE)) as server, posting_by(clock=ManualClock()) as posts:
        await post(posts, server.url)
        server.writers[0].write(b"HTTP/1.1 418 Unasked\r\nContent-Length: 0\r\n\r\n")
        await until(lambda: server.left == 1)
        assert (await post(posts, server.url)).status == 200
    assert server.connections == 2


@on_both_loops
async def test_a_connection_that_its_server_has_closed_is_not_used() -> None:
    async with served(Say(FINE)) as server, posting_by() as posts:
        await post(posts, server.url)
        server.writers[0].close()
        (kept,) = next(iter(posts._kept.values()))
        await until(lambda: not kept.open)
        assert (await post(posts, server.url)).status == 200
    assert (server.connections, len(server.requests)) == (2, 2)


@on_both_loops
async def test_a_connection_that_was_unused_for_long_is_not_used() -> None:
    clock = ManualClock()
    async with served(Say(FINE)) as server, posting_by(clock=clock) as posts:
        for seconds in (1.0, 1.0, posting.KEPT_SECONDS):
            await post(posts, server.url)
            clock.advance(seconds)
        assert server.connections == 1
        await post(posts, server.url)
        assert server.connections == 2


@on_both_loops
async def test_connections_that_nobody_uses_are_closed() -> None:
    clock = ManualClock()
    async with served(Say(FINE)) as server, posting_by(clock=clock) as posts:
        await post(posts, server.url)
        posts._close_unused()
        assert len(posts._kept) == 1
        clock.advance(posting.KEPT_SECONDS)
        posts._close_unused()
        assert (posts._kept, posts._sweep) == ({}, None)
        await until(lambda: server.left == 1)


@on_both_loops
async def test_no_answer_in_time_is_uncertain_and_no_connection_is_not() -> None:
    async def hangs(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with served(Say(b"")) as server, posting_by(Gate(LOOPBACK, hangs)) as posts:
        asked = await failure(post(posts, server.url, deadline=0.2))
        assert (str(asked), asked.uncertain) == ("no answer within 0.2 s", True)
        await until(lambda: server.left == 1)
        looked_up = await failure(post(posts, "http://hook.example/", deadline=0.05))
        assert (str(looked_up), looked_up.uncertain) == ("no connection within 0.05 s", False)


@on_both_loops
async def test_the_deadline_of_one_answer_is_not_that_of_the_next_on_its_connection() -> None:
    loop = asyncio.get_running_loop()
    async with served(Say(FINE), Say(b"")) as server, posting_by() as posts:
        await post(posts, server.url, deadline=0.3)
        over = loop.time() + 0.4
        asked = asyncio.create_task(post(posts, server.url))
        await until(lambda: len(server.requests) == 2 and loop.time() > over)
        server.writers[0].write(FINE)
        assert (await asked).status == 200
        assert server.connections == 1
        # One that was kept has a deadline, too.
        late = await failure(post(posts, server.url, deadline=0.2))
        assert (str(late), late.uncertain, server.connections) == ("no answer within 0.2 s", True, 1)
        await until(lambda: server.left == 1)


@on_both_loops
async def test_who_gives_up_leaves_no_connection_to_others() -> None:
    async with served(Say(b""), Say(FINE)) as server, posting_by() as posts:
        task = asyncio.create_task(post(posts, server.url))
        await until(lambda: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: server.left == 1)
        assert (await post(posts, server.url)).body == b"fine"


@on_both_loops
async def test_an_answer_before_all_is_sent_counts_and_ends_the_connection() -> None:
    too_much = Say(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n")
    async with served(too_much, read=False) as server, posting_by() as posts:
        assert (await post(posts, server.url, b"x" * (32 << 20))).status == 413
        assert posts._kept == {}


@on_both_loops
async def test_what_a_url_says_is_asked_for() -> None:
    async with served(Say(FINE)) as server, posting_by() as posts:
        await post(posts, f"http://us%40er:pass%20word@127.0.0.1:{server.port}/a b?q=ü#part")
    lines = server.requests[0].split(b"\r\n")
    assert lines[0] == b"POST /a%20b?q=%C3%BC HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}".encode() in lines
    assert b"Authorization: Basic dXNAZXI6cGFzcyB3b3Jk" in lines


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://hook.example/", b"hook.example"),
        ("http://hook.example:8080/", b"hook.example:8080"),
        ("https://hook.example:443/", b"hook.example"),
        ("http://[2606:4700::1]:8080/", b"[2606:4700::1]:8080"),
        ("http://bücher.example/", b"xn--bcher-kva.example"),
    ],
)
async def test_the_host_as_servers_know_it(url: str, host: bytes) -> None:
    assert b"Host: %s\r\n" % host in Posts(Gate(), SystemClock()).place(url).begin


@pytest.mark.parametrize("value", ["text/plain\r\nX-Other: 1", "a\nb", "a\rb", "a\x00b", "a\x7fb"])
def test_one_header_does_not_become_two(value: str) -> None:
    with pytest.raises(Failed) as caught:
        head([f"Content-Type: {value}"])
    assert caught.value.permanent


def test_urls_that_were_refused_are_refused_again() -> None:
    posts = Posts(Gate(), SystemClock())
    for _ in range(2):
        with pytest.raises(Failed):
            posts.place("http://127.0.0.1/")


@on_both_loops
async def test_the_first_address_that_takes_it_is_talked_to() -> None:
    """Whether the others refuse, or swallow what is sent to them."""

    async def three(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.3", "127.0.0.2", "127.0.0.1"]

    async with served(Say(FINE)) as server, posting_by(Gate(("127.0.0.0/8",), three)) as posts:
        with socket.socket() as deaf:
            # Its queue is full: whoever knocks waits.
            deaf.bind(("127.0.0.2", server.port))
            deaf.listen(0)
            with socket.create_connection(("127.0.0.2", server.port)):
                assert (await post(posts, f"http://hook.example:{server.port}/")).body == b"fine"


@on_both_loops
async def test_a_server_that_hangs_up_at_once_is_not_waited_for() -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(hangs_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    async with listening, posting_by() as posts:
        assert str(await failure(post(posts, url))).startswith("connection lost: ")
        # Where that is seen before anything was sent, nothing is uncertain.
        place = posts.place(url)
        early = await posts._connect(place)
        await until(lambda: early._transport is None or early._transport.is_closing())
        posts._take = lambda place: early  # type: ignore[method-assign]
        seen = await failure(post(posts, url))
    assert (str(seen), seen.uncertain) == ("connection lost: the other side has closed it", False)


@on_both_loops
async def test_where_no_address_takes_it_nothing_is_uncertain() -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.3", "127.0.0.2"]

    with socket.socket() as closed:
        closed.bind(("127.0.0.2", 0))
        async with posting_by(Gate(("127.0.0.0/8",), two)) as posts:
            failed = await failure(post(posts, f"http://hook.example:{closed.getsockname()[1]}/"))
    assert str(failed).startswith("cannot connect: ")
    assert (failed.uncertain, failed.permanent) == (False, False)


@on_both_loops
async def test_a_connection_that_comes_too_late_is_closed() -> None:
    """Two that are ready in the same moment: one of them is handed over, no socket is left behind."""
    async with served(Say(FINE)) as server:
        gate = Gate(("127.0.0.0/8",))
        reached = await first_connected([gate.check("127.0.0.1", 80), gate.check("127.0.0.1", 80)], server.port)
        with reached:
            assert reached.getpeername() == ("127.0.0.1", server.port)


@on_both_loops
async def test_tls_knows_the_name_and_is_used_again() -> None:
    authority, heard = Authority(), list[str | None]()
    with tempfile.TemporaryDirectory() as folder:
        tls = authority.server(Path(folder), "127.0.0.1")
    tls.sni_callback = lambda _, name, __: heard.append(name)
    async with served(Say(FINE), tls=tls) as server, posting_by(trust=authority.trust()) as posts:
        for _ in range(2):
            assert (await post(posts, f"https://127.0.0.1:{server.port}/")).body == b"fine"
        assert server.connections == 1
        # Given a name that the certificate does not have: it is asked for, and refused before anything is sent.
        posts._gate = Gate(LOOPBACK, lambda *_: _home())
        refused = await failure(post(posts, f"https://hook.example.:{server.port}/"))
    assert (refused.permanent, refused.uncertain) == (True, False)
    assert str(refused).startswith("certificate refused: ")
    assert (heard, len(server.requests)) == ([None, "hook.example"], 2)


async def _home() -> Sequence[str]:
    return ["127.0.0.1"]


@on_both_loops
async def test_what_speaks_no_tls_got_nothing() -> None:
    async with served(Say(FINE)) as server, posting_by() as posts:
        failed = await failure(post(posts, server.url.replace("http:", "https:"), deadline=2))
    assert (failed.uncertain, failed.permanent, server.requests) == (False, False, [])
