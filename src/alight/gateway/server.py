"""uvicorn, embedded, with deadlines and limits of our own: a client that dribbles or babbles is cut off.

uvicorn has none for receiving. One sweep per interval looks at every connection, so that a request on the fast
path pays for two assignments and no timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from alight.errors import AlightError


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes. `body_rate` is the least that a body has to bring per second after `body_idle` seconds."""

    head: float = 10.0
    keep_alive: float = 75.0
    body_idle: float = 20.0
    body_rate: int = 256
    write_idle: float = 60.0
    target_bytes: int = 8_192
    header_bytes: int = 10_240
    headers: int = 256
    connections: int = 4_096


#: Where the scope's extensions hold how header names were spelled, in the order of the headers.
SPELLING = "alight.spelling"

REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Connection(HttpToolsProtocol):
    """One client's connection. `limits` is set on a subclass by `serve`."""

    limits = Limits()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._waited = 0.0
        self._body_waited = 0.0
        self._body_bytes = 0
        self._head_bytes = 0
        self._is_in_head = True
        self._stuck = 0.0
        self._unsent = 0
        self._is_refused = False
        if len(self.connections) > self.limits.connections:
            self.refuse(503)

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        if self._head_bytes == 0:
            self._waited = 0.0
        self._head_bytes += len(data)
        super().data_received(data)
        limits = self.limits
        if self._is_in_head and self._head_bytes > limits.header_bytes + limits.target_bytes:
            self.refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._spelling: list[bytes] = []
        self.scope["extensions"] = {SPELLING: {"names": self._spelling}}

    def on_header(self, name: bytes, value: bytes) -> None:
        """ASGI has header names in lower case; REST APIs hand them on as they were spelled."""
        super().on_header(name, value)
        self._spelling.append(name)

    def on_headers_complete(self) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        status = self._unacceptable()
        if status:
            self.refuse(status)
            return
        self._is_in_head = False
        self._waited = self._body_waited = 0.0
        self._body_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        self._waited = 0.0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_head = True
        self._head_bytes = 0
        self._waited = 0.0
        if not self._is_refused and not self.transport.is_closing():
            super().on_message_complete()

    def refuse(self, status: int) -> None:
        """Answer in a few words; there is no service to speak for. What still comes is thrown away for a moment:
        closing at once would reset the connection, and the client would not get to read the answer."""
        reason = REASONS[status]
        text = f"HTTP/1.1 {status} {reason}\r\ncontent-length: {len(reason)}\r\nconnection: close\r\n\r\n{reason}"
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        self._waited = 0.0
        self.transport.write(text.encode())
        self.transport.write_eof()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def sweep(self, elapsed: float) -> None:
        """Called every interval: closes the connection where the client is too slow."""
        if self.transport is None or self.transport.is_closing():
            return
        self._watch_writing(elapsed)
        if self._is_refused:
            self._waited += elapsed
            if self._waited > min(1.0, self.limits.head):
                self.transport.close()
            return
        cycle = self.cycle
        is_busy = cycle is not None and not cycle.response_complete
        if self._is_in_head:
            if not is_busy:
                self._watch_head(elapsed)
        elif is_busy and not (self.flow.read_paused or cycle.waiting_for_100_continue):
            self._watch_body(elapsed)

    def _watch_head(self, elapsed: float) -> None:
        self._waited += elapsed
        is_new = self.cycle is None or self._head_bytes > 0
        if self._waited > (self.limits.head if is_new else self.limits.keep_alive):
            if self._head_bytes:
                self.refuse(408)
            else:
                self.transport.close()

    def _watch_body(self, elapsed: float) -> None:
        limits = self.limits
        self._waited += elapsed
        self._body_waited += elapsed
        is_slow = self._body_bytes < limits.body_rate * (self._body_waited - limits.body_idle)
        if self._waited > limits.body_idle or is_slow:
            if self.cycle.response_started:
                self.transport.close()
            else:
                self.refuse(408)

    def _watch_writing(self, elapsed: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._stuck = self._stuck + elapsed if unsent and unsent >= self._unsent else 0.0
        self._unsent = unsent
        if self._stuck > self.limits.write_idle:
            self.transport.abort()

    def _unacceptable(self) -> int:
        """The status with which a request head is refused, 0 for none."""
        limits = self.limits
        if len(self.url) > limits.target_bytes:
            return 414
        if len(self.headers) > limits.headers:
            return 431
        if sum(len(name) + len(value) + 4 for name, value in self.headers) > limits.header_bytes:
            return 431
        # Only the origin form: with any other, the path that is routed could differ from the one that is signed.
        if not self.url.startswith(b"/") or b"#" in self.url:
            return 400
        encodings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        return 400 if encodings not in ([], [b"chunked"]) else 0


class _Uvicorn(uvicorn.Server):
    """Signals belong to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Server:
    """A serving socket. `port` is the real one, also where 0 was asked for."""

    def __init__(self, inner: uvicorn.Server, listener: socket.socket, limits: Limits, interval: float) -> None:
        self.port: int = listener.getsockname()[1]
        self._inner = inner
        self._listener = listener
        self._serving = asyncio.create_task(inner.serve(sockets=[listener]))
        self._sweeping = asyncio.create_task(self._sweep(interval))

    async def started(self) -> None:
        """Return when connections are accepted; raises what kept it from starting."""
        while not self._inner.started:
            if self._serving.done():
                self._serving.result()
                raise AlightError("The server did not start.")
            await asyncio.sleep(0.001)

    async def stop(self, grace: float = 5.0) -> None:
        """Accept no more, let running requests end for `grace` seconds, then cut them off."""
        self._inner.config.timeout_graceful_shutdown = grace  # type: ignore[assignment]
        self._inner.should_exit = True
        await self._serving
        self._sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweeping
        for connection in list(self._inner.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _sweep(self, interval: float) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(interval)
            now = loop.time()
            for connection in list(self._inner.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(now - last)
            last = now


async def serve(app: Any, host: str = "127.0.0.1", port: int = 0, *, limits: Limits | None = None) -> Server:
    """Serve the ASGI `app` in the running loop; returns when it accepts connections.

    Raises `AlightError` where the address is taken.
    """
    limits = limits or Limits()
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=type("LimitedConnection", (Connection,), {"limits": limits}),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive,  # type: ignore[arg-type]
    )
    shortest = min(limits.head, limits.keep_alive, limits.body_idle, limits.write_idle)
    server = Server(_Uvicorn(config), listener, limits, min(1.0, shortest / 4))
    await server.started()
    return server


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise AlightError(f"Cannot listen on {host}:{port}: {error.strerror}.", "Choose another --port.") from None
    return listener
