"""Requests as they arrive at a replica, on the one thread that also answers them.

A thread for reading would have to wake the one that answers for each request, and would fight with it for the
interpreter. So nothing is read while the model works: what arrives then waits in the socket, and is there at once when
it is looked for. Pings are answered where they are met.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alight.endpoints.contract import Request

MAX_HEAD = 64 * 1024
MAX_BODY = 1 << 30
#: A request of up to this size is received in one piece, and copied once.
BUFFER = 256 * 1024
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request and the connection that waits for its answer."""

    connection: socket.socket
    request: Request


class Inbox:
    """All connections of a listener. `pong` answers a ping, bytes as they are sent."""

    def __init__(self, listener: socket.socket, pong: bytes) -> None:
        self._listener = listener
        self._pong = pong
        self._arriving: dict[int, _Arriving] = {}
        self._whole: deque[Arrived] = deque()
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)

    def wait(self) -> Arrived:
        """The next request."""
        while not self._whole:
            self._look(None)
        return self._whole.popleft()

    def more(self) -> Arrived | None:
        """The next one that is there already."""
        if not self._whole:
            self._look(0)
        return self._whole.popleft() if self._whole else None

    def close(self) -> None:
        for arriving in self._arriving.values():
            arriving.connection.close()

    def _look(self, milliseconds: int | None) -> None:
        for descriptor, _ in self._poll.poll(milliseconds):
            arriving = self._arriving.get(descriptor)
            if arriving is None:
                connection, _ = self._listener.accept()
                self._arriving[connection.fileno()] = _Arriving(connection)
                self._poll.register(connection, select.POLLIN)
                continue
            try:
                for method, path, request in arriving.read():
                    self._sort(arriving.connection, method, path, request)
            except (OSError, ValueError):  # the supervisor went away, or it is not the supervisor
                self._poll.unregister(descriptor)
                del self._arriving[descriptor]
                arriving.connection.close()

    def _sort(self, connection: socket.socket, method: str, path: str, request: Request) -> None:
        if (method, path) == ("POST", "/invocations"):
            self._whole.append(Arrived(connection, request))
        else:
            connection.sendall(self._pong if (method, path) == ("GET", "/ping") else NOT_FOUND)


class _Arriving:
    """One connection's bytes: those between `_start` and `_end` of the buffer are not yet taken."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def read(self) -> Iterator[tuple[str, str, Request]]:
        """Method, path and content of what is there; a body that has begun is waited for. Raises `ValueError` where it
        ends, or is no request."""
        self._receive(BUFFER)
        while (end := self._buffer.find(b"\r\n\r\n", self._start, self._end)) >= 0:
            method, path, headers = _head(bytes(self._view[self._start : end]))
            self._start = end + 4
            known = {name.lower(): value for name, value in headers.items()}
            body = self._body(int(known.get("content-length") or 0))
            yield method, path, Request(body, known.get("content-type"), known.get("accept"), headers)
        rest = self._end - self._start
        if rest > MAX_HEAD:
            raise ValueError("the head of the request is too long")
        self._buffer[:rest] = self._buffer[self._start : self._end]
        self._start, self._end = 0, rest

    def _receive(self, end: int, flags: int = 0) -> None:
        """Into the buffer, no further than to `end`."""
        count = self.connection.recv_into(self._view[self._end : end], 0, flags)
        if not count:
            raise ValueError("the connection ended")
        self._end += count

    def _body(self, size: int) -> bytes:
        if not 0 <= size <= MAX_BODY:
            raise ValueError("the body is too long")
        end = min(self._start + size, BUFFER)
        while self._end < end:
            self._receive(end, socket.MSG_WAITALL)
        body = bytes(self._view[self._start : end])
        self._start = end
        return body if len(body) == size else self._long(body, size)

    def _long(self, body: bytes, size: int) -> bytes:
        """A body that does not fit into the buffer."""
        parts, have = [body], len(body)
        while have < size:
            parts.append(self.connection.recv(size - have, socket.MSG_WAITALL))
            if not parts[-1]:
                raise ValueError("the body is shorter than announced")
            have += len(parts[-1])
        return b"".join(parts)


def _head(head: bytes) -> tuple[str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name] = value.strip()
    return method, path, headers
