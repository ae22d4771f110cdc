"""uvicorn, embedded, with deadlines and limits of our own: a client that dribbles or babbles is cut off.

uvicorn has none for receiving. One sweep per interval looks at every connection, so that a request on the fast
path pays for two assignments and no timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import unquote

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from alight import openfiles
from alight.errors import AlightError
from alight.gateway.cycle import Cycle


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
    #: In all (as far as there are descriptors), and of one peer. Our own address may have them all, and an eighth to
    #: itself: from there come workers, and what a proxy passes on.
    connections: int = 4_096
    peer_connections: int = 512


OWN_ADDRESSES = ("127.0.0.1", "::1")
#: Bytes of a body that are taken from a client before somebody asks for them: what one read of the socket brings, so
#: that a body which came at once does not have reading stopped and begun again.
READ_AHEAD = 256 * 1024
#: Where the scope's extensions hold the headers with their names as they were spelled.
SPELLING = "alight.spelling"

_ASGI = {"version": "3.0", "spec_version": "2.3"}

#: Status, reason, and S3's code and sentence, which every AWS client can read at least in part.
REASONS = {
    400: ("Bad Request", "BadRequest", "An error occurred when parsing the HTTP request."),
    408: ("Request Timeout", "RequestTimeout", "Your socket connection to the server was not read from or written to "
          "within the timeout period."),
    414: ("URI Too Long", "RequestURITooLong", "The path and query of your request are longer than is allowed."),
    431: ("Request Header Fields Too Large", "RequestHeaderSectionTooLarge", "Your request header section exceeds the "
          "maximum allowed request header section size."),
    503: ("Service Unavailable", "ServiceUnavailable", "Reduce your request rate: all connections are taken."),
}  # fmt: skip


class Connection(HttpToolsProtocol):
    """One client's connection. `limits` and `peers` (how many each has) are set on a subclass by `serve`; sockets that
    share `peers` share the places."""

    limits = Limits()
    peers: Counter[str] = Counter()
    cycle: Cycle

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._waited = self._body_waited = 0.0
        self._body_bytes = 0
        #: Of a head, or of what stands beside a body's pieces: lengths of chunks, and what trails.
        self._head_bytes = 0
        self._is_in_head = True
        self._stuck = 0.0
        self._unsent = 0
        self._is_refused = False
        self._peer = self.client[0] if self.client else ""
        self.peers[self._peer] += 1
        if self._is_too_many():
            self.refuse(503)

    def _is_too_many(self) -> bool:
        places = self.limits.connections
        if self._peer in OWN_ADDRESSES:
            return self.peers.total() > places
        return self.peers.total() > places - places // 8 or self.peers[self._peer] > self.limits.peer_connections

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.peers[self._peer] -= 1
        if not self.peers[self._peer]:
            del self.peers[self._peer]

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        if self._head_bytes == 0:
            self._waited = 0.0
        self._head_bytes += len(data)
        super().data_received(data)
        limits = self.limits
        if self._head_bytes > limits.header_bytes + limits.target_bytes:
            self.refuse(431)

    def on_message_begin(self) -> None:
        self._is_in_head = True
        self._came: list[tuple[bytes, bytes]] = []
        self.headers = []
        self.url = b""
        self.expect_100_continue = False
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "extensions": {SPELLING: {"headers": self._came}},
        }
        self.scope = scope  # type: ignore[assignment]

    def on_header(self, name: bytes, value: bytes) -> None:
        """A request has a dozen of them: they are looked at when all are there. What trails a body is none."""
        if self._is_in_head:
            self._came.append((name, value))

    def on_headers_complete(self) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        # ASGI has header names in lower case; REST APIs hand them on as they were spelled.
        self.headers = self.scope["headers"] = [(name.lower(), value) for name, value in self._came]
        known = dict(self.headers)
        status = self._unacceptable(known)
        if status:
            self.refuse(status)
            return
        self._is_in_head = False
        self._waited = self._body_waited = 0.0
        self._head_bytes = self._body_bytes = 0
        asked = (value.lower() for name, value in self.headers if name == b"expect") if b"expect" in known else ()
        self.expect_100_continue = b"100-continue" in asked
        self._begin()

    def _begin(self) -> None:
        """uvicorn's own steps, without those for what is not here: WebSockets, limits and logs of its own."""
        parser, scope = self.parser, self.scope
        scope["method"] = parser.get_method().decode("ascii")
        version = parser.get_http_version()
        scope["http_version"] = version
        url = httptools.parse_url(self.url)
        scope["raw_path"] = url.path
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["query_string"] = url.query or b""
        before = self.cycle
        self.cycle = cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_response_complete(self) -> None:
        """uvicorn's own step without its timer: `sweep` looks after connections that nothing comes on."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def on_body(self, body: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        self._waited, self._head_bytes = 0.0, 0
        self._body_bytes += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return
        if cycle.take_in(body) > READ_AHEAD:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._is_in_head = True
        self._head_bytes = 0
        self._waited = 0.0
        cycle = self.cycle
        if not self._is_refused and not self.transport.is_closing() and not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def refuse(self, status: int) -> None:
        """Answer in a few words, in S3's form, as there is no service to speak for; where an answer began, only end.
        What still comes is thrown away for a moment: closing at once would reset the connection and lose the answer."""
        reason, code, message = REASONS[status]
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
        head = f"content-type: application/xml\r\ncontent-length: {len(body)}\r\nconnection: close"
        head += "\r\nretry-after: 1" if status == 503 else ""
        text = f"HTTP/1.1 {status} {reason}\r\n{head}\r\n\r\n{body}"
        if self._is_refused or self.transport.is_closing():
            return
        if not self._is_in_head and self.cycle.response_started:
            self.transport.close()
            return
        self._is_refused = True
        self._waited = 0.0
        self.transport.write(text.encode())
        if self.transport.can_write_eof():
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
            self.refuse(408)

    def _watch_writing(self, elapsed: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._stuck = self._stuck + elapsed if unsent and unsent >= self._unsent else 0.0
        self._unsent = unsent
        if self._stuck > self.limits.write_idle:
            self.transport.abort()

    def _unacceptable(self, known: Mapping[bytes, bytes]) -> int:
        """The status with which a request head is refused, 0 for none. `known` are its headers by name, of which the
        last one counts."""
        limits = self.limits
        if len(self.url) > limits.target_bytes:
            return 414
        if len(self.headers) > limits.headers:
            return 431
        if sum(map(len, chain.from_iterable(self._came))) + 4 * len(self._came) > limits.header_bytes:
            return 431
        # Only the origin form: with any other, the path that is routed could differ from the one that is signed.
        if not self.url.startswith(b"/") or b"#" in self.url:
            return 400
        if b"transfer-encoding" not in known:
            return 0
        encodings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        return 0 if encodings == [b"chunked"] else 400


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
        """While this process does not run, what the clients send waits unread: its own pauses are not theirs."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(interval)
            now = loop.time()
            elapsed = min(now - last, 2 * interval)
            for connection in list(self._inner.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(elapsed)
            last = now


async def serve(
    app: Any,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    peers: Counter[str] | None = None,
) -> Server:
    """Serve the ASGI `app` in the running loop, over TLS where a context is given; returns when it accepts connections.
    `peers` is that of another socket whose places these are, too.

    Raises `AlightError` where the address is taken.
    """
    limits = limits or Limits()
    limits = replace(limits, connections=min(limits.connections, openfiles.for_connections()))
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=type(
            "LimitedConnection", (Connection,), {"limits": limits, "peers": Counter() if peers is None else peers}
        ),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive,  # type: ignore[arg-type]
    )
    config.load()
    config.ssl = tls
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
