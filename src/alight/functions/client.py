"""The child's end of the Runtime API, for both loops: one connection, HTTP written by hand. Standard library only.

An answer and the question for more work go out together, in one piece, and what the runtime says to the first is read
with its reply to the second: so a call wakes each side once. Nothing waits for that, as a loop that has answered asks.
"""

from __future__ import annotations

# `socket` itself takes more time to import than a call takes, and many a handler never needs it.
import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost milliseconds of each start
    from typing import Any

_PIECE = 256 * 1024


class Connection:
    """`address` is HOST:PORT/TOKEN, the value of `AWS_LAMBDA_RUNTIME_API`."""

    def __init__(self, address: str) -> None:
        self._place, _, token = address.partition("/")
        self._base = "/" + (token + "/" if token else "") + "2018-06-01/runtime/"
        self._next = self._request("GET", "invocation/next")
        self._socket: Any = None
        self._buffer = b""
        self._answered = False

    def next(self) -> tuple[dict[str, str], bytes]:
        """Headers (their names as the runtime spells them) and payload of the next call. Raises `RuntimeError` where
        the runtime refuses it, or has refused the answer to the last one."""
        if self._answered:
            self._answered = False
            self._accepted(self._receive()[0])
        else:
            self._send(self._next)
        status, headers, body = self._receive()
        if status != 200:
            raise RuntimeError(f"next invocation refused: {status}")
        return headers, body

    def respond(self, request_id: str, body: bytes, content_type: str) -> None:
        self._answer(self._request("POST", f"invocation/{request_id}/response", body, content_type))

    def fail(self, request_id: str, document: bytes) -> None:
        """The handler raised; `document` says what."""
        self._answer(self._request("POST", f"invocation/{request_id}/error", document))

    def fail_init(self, document: bytes) -> None:
        """The handler could not be loaded."""
        self._send(self._request("POST", "init/error", document))
        self._accepted(self._receive()[0])

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _answer(self, request: bytes) -> None:
        self._send(request + self._next)
        self._answered = True

    def _accepted(self, status: int) -> None:
        if status != 202:
            raise RuntimeError(f"response refused: {status}")

    def _request(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
        head = f"{method} {self._base}{path} HTTP/1.1\r\nHost: {self._place}\r\n"
        if method == "POST":
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            host, _, port = self._place.partition(":")
            self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            # Whatever the handler has made the usual time limit of sockets: more work may be hours away.
            self._socket.settimeout(None)
            self._socket.connect((host, int(port)))
            self._socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._socket.sendall(data)

    def _receive(self) -> tuple[int, dict[str, str], bytes]:
        """One reply: status, headers, body."""
        end = self._buffer.find(b"\r\n\r\n")
        while end < 0:
            self._buffer += self._more()
            end = self._buffer.find(b"\r\n\r\n")
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = dict([line.split(": ", 1) for line in lines])
        return int(first.split(" ", 2)[1]), headers, self._body(end + 4, int(headers.get("Content-Length", "0")))

    def _body(self, start: int, size: int) -> bytes:
        whole = self._buffer[start : start + size]
        if len(whole) < size:
            parts, missing = [whole], size - len(whole)
            while missing > 0:
                parts.append(self._more())
                missing -= len(parts[-1])
            rest = b"".join(parts)
            whole, self._buffer = rest[:size], rest[size:]
        else:
            self._buffer = self._buffer[start + size :]
        return whole

    def _more(self) -> bytes:
        data: bytes = self._socket.recv(_PIECE)
        if not data:
            raise EOFError("the runtime has gone")
        return data


class InPlace:
    """The same under the names of `runtime_client`, the compiled part of awslambdaric. That is libcurl, which opens no
    connection to an address with a path in one piece, and takes longer for a call than everything else in the child.
    What older and newer releases hand over besides is for the runtime of AWS."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def initialize_client(self, user_agent: str) -> None:
        """Nobody asks for its name here."""

    def next(self) -> tuple[bytes, dict[str, Any]]:
        headers, body = self._connection.next()
        deadline = "Lambda-Runtime-Deadline-Ms"
        return body, {**headers, deadline: int(headers[deadline])}

    def post_invocation_result(
        self, request_id: str, body: bytes, content_type: str = "application/json", *more: object
    ) -> None:
        self._connection.respond(request_id, body, content_type)

    def post_error(self, request_id: str, document: str, *more: object) -> None:
        self._connection.fail(request_id, document.encode())
