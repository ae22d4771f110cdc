"""The Lambda Runtime API of one sandbox: a small HTTP listener that the child asks for work.

    GET  /TOKEN/2018-06-01/runtime/invocation/next             waits for work, brings it
    POST /TOKEN/2018-06-01/runtime/invocation/ID/response      the answer
    POST /TOKEN/2018-06-01/runtime/invocation/ID/error         the handler raised
    POST /TOKEN/2018-06-01/runtime/init/error                  the handler could not be loaded

Each sandbox has a port and a random token of its own; without the token nobody gets more than a 403, so no handler
can take a neighbour's work, nor answer for it. HTTP is parsed by hand: one keep-alive connection of a known client,
where a framework would cost more than the call itself.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

from alight.functions.invocation import RESPONSE_LIMIT
from alight.functions.wire import Request, RequestReader

#: Connections of one sandbox at a time; awslambdaric keeps one.
CONNECTION_LIMIT = 16
_VERSION = "2018-06-01"
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
_STATUS_LINES = {status: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child posted. `error` says that it is an error document; `content_type` is the child's."""

    payload: bytes
    error: bool
    content_type: str
    too_large: bool = False


class Listener(Protocol):
    """Who is told what the child does."""

    def on_ready(self) -> None:
        """The child asks for work: it has loaded the handler, or finished the last call."""

    def on_answer(self, answer: Answer) -> None:
        """The current call is answered."""

    def on_init_error(self, payload: bytes) -> None:
        """The handler could not be loaded."""


class RuntimeApi:
    """Serves one child. `offer` hands it one call, `withdraw` forgets the call (no answer counts any more)."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._token = secrets.token_urlsafe(24)
        self._prefix = f"/{self._token}/".encode()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._waiting: _Connection | None = None
        self._offered: tuple[Mapping[str, str], bytes] | None = None
        self._current: str | None = None

    async def open(self) -> str:
        """Listen on a free loopback port; the value for `AWS_LAMBDA_RUNTIME_API`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=CONNECTION_LIMIT)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}/{self._token}"

    def close(self) -> None:
        if self._server:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def offer(self, request_id: str, headers: Mapping[str, str], payload: bytes) -> None:
        """Give the child this call now, or when it next asks."""
        self._current = request_id
        self._offered = (headers, payload)
        self._hand_over()

    def withdraw(self) -> None:
        self._current = None
        self._offered = None

    def keeps_waiting(self, connection: _Connection) -> bool:
        """Whether this connection has asked for work and got none yet."""
        return self._waiting is connection

    def _hand_over(self) -> None:
        if self._waiting is None or self._offered is None:
            return
        connection, self._waiting = self._waiting, None
        (headers, payload), self._offered = self._offered, None
        connection.reply(HTTPStatus.OK, payload, headers)

    def _joined(self, connection: _Connection) -> bool:
        if len(self._connections) >= CONNECTION_LIMIT:
            return False
        self._connections.add(connection)
        return True

    def _left(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None

    def admits(self, target: str) -> bool:
        """Whether the request's path begins with this sandbox's token; compared in constant time."""
        return hmac.compare_digest(target[: len(self._prefix)].encode(), self._prefix)

    def handle(self, connection: _Connection, request: Request) -> None:
        """Answer one request of an admitted connection."""
        path = request.target.split("/", 2)[2]
        match request.method, path.split("/"):
            case "GET", [version, "runtime", "invocation", "next"] if version == _VERSION:
                self._waiting = connection
                self._listener.on_ready()
                self._hand_over()
            case "POST", [version, "runtime", "invocation", request_id, ("response" | "error") as what] if (
                version == _VERSION
            ):
                self._answered(connection, request, request_id, error=what == "error")
            case "POST", [version, "runtime", "init", "error"] if version == _VERSION:
                self._listener.on_init_error(bytes(request.body))
                connection.accepted()
            case _:
                connection.refuse(HTTPStatus.NOT_FOUND, "InvalidPath", f"{request.method} {path}")

    def _answered(self, connection: _Connection, request: Request, request_id: str, *, error: bool) -> None:
        if self._current is None or request_id != self._current:
            connection.refuse(HTTPStatus.BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
            return
        self.withdraw()
        content_type = request.headers.get("content-type", "")
        # The listener reads the child's output first: what stands in the pipe by now belongs to this call.
        self._listener.on_answer(Answer(bytes(request.body), error, content_type, request.too_large))
        if request.too_large:
            connection.refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", f"Exceeded maximum of {RESPONSE_LIMIT}"
            )
        else:
            connection.accepted()


class _Connection(asyncio.Protocol):
    """One connection: bytes in, requests out. A client may ask for more work behind its answer, without waiting for
    what is said to that: then both are told in one piece, once there is work."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._reader = RequestReader(limit=RESPONSE_LIMIT, admit=api.admits)
        self._transport: asyncio.Transport | None = None
        #: Said, and not yet written.
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        if not self._api._joined(self):
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "TooManyConnections", "Too many connections")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._api._left(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            requests = self._reader.feed(data, self._continue)
        except PermissionError:
            self.refuse(HTTPStatus.FORBIDDEN, "InvalidToken", "This is not your sandbox")
            self.close()
            return
        except ValueError as error:
            self.refuse(HTTPStatus.BAD_REQUEST, "InvalidRequest", str(error))
            self.close()
            return
        for request in requests:
            self._api.handle(self, request)
        if self._held and not self._api.keeps_waiting(self):
            self._write(b"")

    def _continue(self) -> None:
        self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def accepted(self) -> None:
        self._held += _ACCEPTED

    def refuse(self, status: HTTPStatus, error_type: str, message: str) -> None:
        body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
        self.reply(status, body, {"Content-Type": "application/json"})

    def reply(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{_STATUS_LINES[status]}{lines}Content-Length: {len(body)}\r\n\r\n"
        self._write(head.encode("latin-1", "replace") + body)

    def _write(self, data: bytes) -> None:
        if self._transport:
            self._transport.write(self._held + data)
        self._held = b""

    def close(self) -> None:
        if self._transport:
            self._transport.close()
