"""The child's end of the Runtime API, against a peer that looks at every byte."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from alight.functions.client import Connection

CALL = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-%d\r\nContent-Length: 2\r\n\r\n{}"
TOLD = b"HTTP/1.1 %d Told\r\nContent-Length: 3\r\n\r\n{}\n"


class Peer:
    """A connection that has asked for its first call and got it."""

    def __init__(self, server: socket.socket, thread: ThreadPoolExecutor) -> None:
        self.place = f"127.0.0.1:{server.getsockname()[1]}"
        self.connection = Connection(f"{self.place}/token")
        self._thread = thread
        first = thread.submit(self.connection.next)
        self._stream, _ = server.accept()
        self._stream.settimeout(10)
        self.asked = self._stream.recv(65536)
        self._stream.sendall(CALL % 1)
        assert first.result(10) == ({"Lambda-Runtime-Aws-Request-Id": "r-1", "Content-Length": "2"}, b"{}")

    def read(self) -> bytes:
        return self._stream.recv(65536)

    def next(self, *told: bytes) -> tuple[dict[str, str], bytes]:
        """What the child makes of these pieces."""
        asking = self._thread.submit(self.connection.next)
        for piece in told:
            self._stream.sendall(piece)
        return asking.result(10)

    def close(self) -> None:
        self._stream.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        made = Peer(server, thread)
        yield made
        made.close()
        made.connection.close()


def test_an_answer_and_the_next_question_go_out_together(peer: Peer) -> None:
    base = "/token/2018-06-01/runtime/invocation"
    question = f"GET {base}/next HTTP/1.1\r\nHost: {peer.place}\r\n\r\n".encode()
    assert peer.asked == question
    peer.connection.respond("r-1", b"[]", "application/json")
    head = f"POST {base}/r-1/response HTTP/1.1\r\nHost: {peer.place}\r\nContent-Type: application/json\r\n"
    assert peer.read() == head.encode() + b"Content-Length: 2\r\n\r\n[]" + question
    headers, body = peer.next(TOLD % 202 + CALL % 2)
    assert (headers["Lambda-Runtime-Aws-Request-Id"], body) == ("r-2", b"{}")
    peer.connection.fail("r-2", b"{}")
    assert peer.read().endswith(b"\r\n\r\n{}" + question)
    told = TOLD % 202 + CALL % 3
    headers, _ = peer.next(*[told[at : at + 1] for at in range(len(told))])
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "r-3"


@pytest.fixture
def in_no_time() -> Iterator[None]:
    """What a handler may say when it is loaded: no socket waits for anything."""
    socket.setdefaulttimeout(0.0)
    yield
    socket.setdefaulttimeout(None)


@pytest.mark.usefixtures("in_no_time")
def test_a_time_limit_that_a_handler_gives_to_all_sockets_is_none_of_this_one() -> None:
    with socket.socket() as server, ThreadPoolExecutor(1) as thread, closing(_connection_to(server)) as connection:
        server.settimeout(10)
        asking = thread.submit(connection.next)
        stream, _ = server.accept()
        stream.settimeout(10)
        with stream:
            assert b"/invocation/next " in stream.recv(65536)
            stream.sendall(CALL % 1)
            assert asking.result(10)[1] == b"{}"


def _connection_to(server: socket.socket) -> Connection:
    server.bind(("127.0.0.1", 0))
    server.listen()
    return Connection(f"127.0.0.1:{server.getsockname()[1]}/token")


def test_an_answer_that_is_refused_ends_the_loop(peer: Peer) -> None:
    peer.connection.respond("r-1", b"[]", "application/json")
    with pytest.raises(RuntimeError, match="response refused: 413"):
        peer.next(TOLD % 413)


def test_a_runtime_that_goes_away_ends_it_too(peer: Peer) -> None:
    peer.connection.respond("r-1", b"[]", "application/json")
    peer.read()
    peer.close()
    with pytest.raises(EOFError):
        peer.connection.next()
