"""Requests as they arrive at a replica, in whatever pieces: over a real socket, with nothing behind it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from alight.endpoints.inbox import BUFFER, MAX_BODY, MAX_HEAD, Arrived, Inbox

PONG = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def inbox(place: Path) -> Iterator[Inbox]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        with closing(Inbox(listener, PONG)) as inbox:
            yield inbox


@pytest.fixture
def supervisor(inbox: Inbox, place: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(place))
        yield connection


def head(size: int, start: str = "POST /invocations") -> bytes:
    return (
        f"{start} HTTP/1.1\r\ncontent-TYPE: image/jpeg\r\nAccept: text/csv\r\nContent-Length: {size}\r\n\r\n".encode()
    )


def sending(connection: socket.socket, *pieces: bytes) -> threading.Thread:
    """Somebody who writes while it is read."""

    def send() -> None:
        for piece in pieces:
            connection.sendall(piece)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def arrived(inbox: Inbox) -> Arrived | None:
    """The next one, looked for without waiting: the first looks meet the connection, then what was sent."""
    return inbox.more() or inbox.more()


@pytest.mark.parametrize("size", [0, 1, 116_000, BUFFER - 200, BUFFER, BUFFER + 1, 3_000_000])
def test_a_body_of_any_size_arrives_as_it_was_sent(inbox: Inbox, supervisor: socket.socket, size: int) -> None:
    bodies = [os.urandom(size) for _ in range(3)]
    writing = sending(supervisor, b"".join(head(size) + body for body in bodies))
    found = [inbox.wait().request for _ in bodies]
    writing.join()
    assert [one.body for one in found] == bodies
    assert {(one.content_type, one.accept) for one in found} == {("image/jpeg", "text/csv")}
    assert found[0].headers == {"content-TYPE": "image/jpeg", "Accept": "text/csv", "Content-Length": str(size)}


@pytest.mark.parametrize("cut", [1, 30, 85, 89, 90, 91, 500])
def test_a_request_that_comes_in_two_pieces_is_one(inbox: Inbox, supervisor: socket.socket, cut: int) -> None:
    text = head(1_000) + bytes(1_000)
    supervisor.sendall(head(5) + b"first" + text[:cut])
    writing = sending(supervisor, text[cut:] + head(3) + b"end") if cut >= len(head(1_000)) else None
    assert inbox.wait().request.body == b"first"
    if writing is None:
        assert inbox.more() is None
        supervisor.sendall(text[cut:] + head(3) + b"end")
    else:
        writing.join()
    assert [inbox.wait().request.body, inbox.wait().request.body] == [bytes(1_000), b"end"]
    assert inbox.more() is None


def test_what_waits_is_there_at_once_from_every_connection(inbox: Inbox, place: Path) -> None:
    connections = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.connect(str(place))
        connection.sendall(b"".join(head(1) + b"%d" % number for _ in range(4)))
    found = [inbox.wait() for _ in range(12)]
    assert inbox.more() is None
    for one in found:
        one.connection.sendall(one.request.body)
    for number, connection in enumerate(connections):
        assert connection.recv(4, socket.MSG_WAITALL) == b"%d" % number * 4
        connection.close()


def test_a_ping_is_answered_and_another_address_is_not_found(inbox: Inbox, supervisor: socket.socket) -> None:
    supervisor.sendall(head(0, "GET /ping") + head(4, "GET /other") + b"body" + head(2) + b"go")
    assert inbox.wait().request.body == b"go"
    answered = supervisor.recv(1_000)
    assert answered.startswith(PONG + b"HTTP/1.1 404")
    assert answered.count(b"HTTP/1.1") == 2


@pytest.mark.parametrize(
    "text",
    [
        b"x" * (MAX_HEAD + 1),
        b"POST\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: much\r\n\r\n",
        head(-1),
        head(MAX_BODY + 1),
    ],
    ids=["endless", "no-address", "no-number", "less-than-nothing", "too-much"],
)
def test_what_is_no_request_ends_its_connection_and_no_other(
    inbox: Inbox, supervisor: socket.socket, place: Path, text: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(place))
        stranger.sendall(text)
        supervisor.sendall(head(2) + b"go")
        assert inbox.wait().request.body == b"go"
        assert arrived(inbox) is None
        assert stranger.recv(1) == b""


@pytest.mark.parametrize("size", [100, BUFFER * 2])
def test_a_connection_that_ends_in_a_body_is_left(inbox: Inbox, place: Path, size: int) -> None:
    with socket.socket(socket.AF_UNIX) as leaver:
        leaver.connect(str(place))
        leaver.sendall(head(size) + b"half")
    assert arrived(inbox) is None
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(place))
        other.sendall(head(2) + b"go")
        assert inbox.wait().request.body == b"go"
