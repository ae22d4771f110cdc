"""A client that goes away, or does not read, in the middle of a large object: the server stops reading the disk."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.wire.running_s3 import Running, running_s3

SIZE = 96 * 1024 * 1024


@dataclass
class Reading:
    """What was read of an object's body, and whether its reader has ended."""

    count: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("data")) as here:
        client = here.client(signature_version="s3v4")
        client.create_bucket(Bucket="photos")
        client.put_object(Bucket="photos", Key="large", Body=bytes(SIZE))
        yield here


@pytest.fixture
def reading(running: Running, monkeypatch: pytest.MonkeyPatch) -> Reading:
    found = Reading()
    assert running.objects is not None
    open_body = running.objects.open_body

    async def counted(*given: Any) -> AsyncIterator[bytes]:
        try:
            async for piece in open_body(*given):
                found.count += len(piece)
                yield piece
        finally:
            found.ended.set()

    monkeypatch.setattr(running.objects, "open_body", counted)
    return found


def get(running: Running) -> socket.socket:
    """Ask for the object and read the beginning of the answer."""
    link = running.clients[0].generate_presigned_url("get_object", {"Bucket": "photos", "Key": "large"})
    target = link.removeprefix(running.url)
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.sendall(f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1:{running.port}\r\n\r\n".encode())
    received = 0
    while received < 2 * 1024 * 1024:
        piece = connection.recv(65_536)
        assert received or piece.startswith(b"HTTP/1.1 200 ")
        assert piece
        received += len(piece)
    return connection


@pytest.mark.parametrize("how", ["reset", "closed", "closed at once"])
def test_the_body_is_read_no_further(running: Running, reading: Reading, how: str) -> None:
    connection = get(running)
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "closed":
        connection.shutdown(socket.SHUT_WR)
    connection.close()
    assert reading.ended.wait(10)
    assert reading.count < SIZE // 2


def test_no_further_than_the_client_takes(running: Running, reading: Reading) -> None:
    """Who does not read is not read for: what waits for it stays small."""
    with get(running):
        assert not reading.ended.wait(1)
        assert reading.count < SIZE // 2
    assert reading.ended.wait(10)


def test_who_stays_gets_all_of_it(running: Running, reading: Reading) -> None:
    body = running.clients[0].get_object(Bucket="photos", Key="large")["Body"]
    assert sum(len(piece) for piece in body.iter_chunks(1024 * 1024)) == SIZE
    assert reading.ended.wait(10)
    assert reading.count == SIZE
