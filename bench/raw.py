"""One connection that sends requests which were written, and signed, beforehand: the client costs next to nothing."""

from __future__ import annotations

import select
import socket
from types import TracebackType
from urllib.parse import urlsplit


class Connection:
    """Answers have to have a Content-Length. Used by one thread."""

    def __init__(self, url: str) -> None:
        to = urlsplit(url)
        self._to = (to.hostname or "127.0.0.1", to.port or 80)
        self._socket: socket.socket | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hang_up()

    def ask(self, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer. A connection that was closed while nothing was asked is made anew."""
        if self._socket is not None and select.select([self._socket], [], [], 0)[0]:
            self._hang_up()
        if self._socket is None:
            self._socket = socket.create_connection(self._to, 30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = self._socket.sendmsg([head, body])
        if sent < len(head) + len(body):
            self._socket.sendall((head + body)[sent:])
        return self._answer(self._socket)

    def _answer(self, connection: socket.socket) -> tuple[int, bytes]:
        found = b""
        while b"\r\n\r\n" not in found:
            found += self._more(connection)
        head, _, body = found.partition(b"\r\n\r\n")
        status, *lines = head.lower().split(b"\r\n")
        size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        while len(body) < size:
            body += self._more(connection)
        if b"connection: close" in lines:
            self._hang_up()
        return int(status.split()[1]), body

    def _more(self, connection: socket.socket) -> bytes:
        if not (found := connection.recv(65_536)):
            self._hang_up()
            raise ConnectionError("the connection was closed in the middle of an answer")
        return found

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
