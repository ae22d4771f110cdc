"""One POST to somebody else's server, over HTTP/1.1: to an address that the gate has let through, and nothing more.

No redirect is followed, no cookie kept, no proxy asked, nothing sent twice. A connection that its server leaves open
serves the next POST to the same host; for a new one the name is looked up and checked anew.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools

from alight.clock import Clock
from alight.notifications.channels.addresses import Gate
from alight.notifications.channels.connecting import first_connected
from alight.notifications.policy import Failed

CONNECT_DEADLINE = 10.0

#: Bytes of an answer that are read at most, be they its head's, its body's, the frames' of its chunks, or what comes
#: behind it; and those of the body that are kept for people.
MOST_READ = 64 * 1024
MOST_KEPT = 500

#: Seconds that a connection is kept unused. Servers close theirs after five or more: hardly one is closed by both ends'
#: misunderstanding, just as something is sent on it, which would be uncertain then.
KEPT_SECONDS = 4.0

#: URLs whose meaning is remembered.
REMEMBERED = 1_000

#: What would end a line of a request's head, or is no text.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Place:
    """What a URL means: who is connected to, and how every POST to it begins."""

    secure: bool
    host: str
    port: int
    #: It may have a password in it.
    begin: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is its beginning."""

    status: int
    retry_after: str
    body: bytes


class Broken(Exception):
    """The connection ended before the answer did, or what came was none."""


class Unsent(Broken):
    """The connection had ended before anything was sent."""


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._reusable = self._head_done = self._sized = False
        #: Monotonic time since which nobody has used it.
        self.idle_since = 0.0

    @property
    def open(self) -> bool:
        """Whether another request may be sent: all is sent and read, and neither side has called it the last."""
        transport = self._transport
        return (
            self._reusable
            and transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() == 0
        )

    async def ask(self, request: bytes, ends: float) -> Answer:
        """Raises `Broken`; `TimeoutError` where the answer is not there when it `ends`, by the loop's clock. Whoever
        gives up waiting closes it."""
        if self._transport is None or self._transport.is_closing():
            raise Unsent("the other side has closed it")
        self._answer = self._loop.create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._head_done = self._reusable = self._sized = False
        self._read = 0
        self._retry_after, self._body = "", b""
        self._transport.write(request)
        late = self._loop.call_at(ends, self._late)
        try:
            return await self._answer
        finally:
            late.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        if self._waiting() is None:
            # Nobody has asked: it must not be taken for the answer to what is asked next.
            self.close()
            return
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._done(reusable=False)
            self.close()
        except httptools.HttpParserError as error:
            self._break(f"the answer is not HTTP: {error}")
        if self._read < MOST_READ or self._waiting() is None:
            return
        if self._head_done:
            # It has said what it is about; what it goes on with is held nowhere.
            self._done(reusable=False)
            self.close()
        else:
            self._break(f"the answer's head is longer than {MOST_READ:,} bytes")

    def connection_lost(self, error: Exception | None) -> None:
        if error is None and self._head_done and not self._sized:
            # An answer that says no length ends with its connection.
            self._done(reusable=False)
        else:
            self._break(str(error or "the other side has closed it"))

    # What the parser calls -------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:
            # What stands behind a body says nothing of it.
            return
        match name.lower():
            case b"retry-after":
                self._retry_after = value.decode("latin-1")
            case b"content-length" | b"transfer-encoding":
                self._sized = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        # What comes before the answer (100 Continue, 103 Early Hints) is none; 101 is one, that nobody has asked for.
        self._head_done = status >= 200 or status == 101
        if not self._head_done:
            self._retry_after, self._sized = "", False

    def on_body(self, part: bytes) -> None:
        self._body += part[: MOST_KEPT - len(self._body)]

    def on_message_complete(self) -> None:
        if self._head_done:
            self._done(reusable=self._parser.should_keep_alive())

    def on_message_begin(self) -> None:
        if self._waiting() is None:
            # A second answer, to nothing.
            self._reusable = False

    def _waiting(self) -> asyncio.Future[Answer] | None:
        return None if self._answer is None or self._answer.done() else self._answer

    def _done(self, *, reusable: bool) -> None:
        if answer := self._waiting():
            self._reusable = reusable
            answer.set_result(Answer(self._parser.get_status_code(), self._retry_after, self._body))

    def _late(self) -> None:
        if answer := self._waiting():
            answer.set_exception(TimeoutError())

    def _break(self, why: str) -> None:
        if answer := self._waiting():
            answer.set_exception(Broken(why))
        self.close()


class Posts:
    """Posts to what the gate lets through. Certificates are checked against those of the system, or by `trust`."""

    def __init__(self, gate: Gate, clock: Clock, trust: ssl.SSLContext | None = None) -> None:
        self._gate = gate
        self._clock = clock
        self._trust = trust
        self._places: dict[str, Place] = {}
        #: The one that was used last stands last.
        self._kept: dict[tuple[bool, str, int], list[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def place(self, text: str) -> Place:
        """What a URL means. Raises `Failed` where it may not be tried."""
        place = self._places.get(text)
        if place is None:
            if len(self._places) >= REMEMBERED:
                self._places.clear()
            place = self._places[text] = self._read(text)
        return place

    async def post(self, place: Place, request: bytes, deadline: float) -> Answer:
        """The answer to a request, which is given whole. Raises `Failed`: `uncertain` once anything was sent."""
        ends = asyncio.get_running_loop().time() + deadline
        connection = self._take(place)
        try:
            if connection is None:
                async with asyncio.timeout_at(ends):
                    connection = await self._connect(place)
            answer = await connection.ask(request, ends)
        except TimeoutError:
            if connection is None:
                raise Failed(f"no connection within {deadline:g} s") from None
            raise Failed(f"no answer within {deadline:g} s", uncertain=True) from None
        except Broken as error:
            raise Failed(f"connection lost: {error}", uncertain=not isinstance(error, Unsent)) from None
        finally:
            if connection is not None:
                self._give_back(place, connection)
        return answer

    def close(self) -> None:
        """No connection is kept any longer."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in [one for kept in self._kept.values() for one in kept]:
            connection.close()
        self._kept.clear()

    def _read(self, text: str) -> Place:
        url = self._gate.check_url(text)
        assert url.raw_host is not None
        assert url.port is not None
        lines = [f"POST {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"]
        if url.raw_user is not None or url.raw_password is not None:
            try:
                name_and_word = f"{url.user or ''}:{url.password or ''}".encode("latin-1")
            except UnicodeEncodeError:
                raise Failed("not a URL: its user or password cannot be sent", permanent=True) from None
            lines.append(f"Authorization: Basic {base64.b64encode(name_and_word).decode()}")
        return Place(url.scheme == "https", url.raw_host, url.port, head(lines))

    def _take(self, place: Place) -> Connection | None:
        """A connection that is open, where one is kept."""
        kept, oldest = self._kept.get(_key(place)), self._clock.monotonic() - KEPT_SECONDS
        while kept:
            connection = kept.pop()
            if connection.open and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    def _give_back(self, place: Place, connection: Connection) -> None:
        """Kept where it may be used again. Whoever was cancelled, or had enough, leaves one that is not `open`."""
        if not connection.open:
            connection.close()
            return
        connection.idle_since = self._clock.monotonic()
        self._kept.setdefault(_key(place), []).append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._close_unused)

    def _close_unused(self) -> None:
        oldest = self._clock.monotonic() - KEPT_SECONDS
        for key, kept in list(self._kept.items()):
            for connection in kept:
                if not connection.open or connection.idle_since <= oldest:
                    connection.close()
            self._kept[key] = [one for one in kept if one.open and one.idle_since > oldest]
            if not self._kept[key]:
                del self._kept[key]
        again = asyncio.get_running_loop().call_later
        self._sweep = again(KEPT_SECONDS, self._close_unused) if self._kept else None

    async def _connect(self, place: Place) -> Connection:
        """Nothing is sent before it is there, so no failure of it is uncertain."""
        addresses = await self._gate.resolve(place.host, place.port)
        if place.secure and self._trust is None:
            self._trust = await asyncio.to_thread(_system_trust)
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                return await self._speak(place, await first_connected(addresses, place.port))
        except ssl.SSLCertVerificationError as error:
            raise Failed(f"certificate refused: {error.verify_message}", permanent=True) from error
        except TimeoutError as error:
            raise Failed(f"no connection within {CONNECT_DEADLINE:g} s") from error
        except OSError as error:
            raise Failed(f"cannot connect: {error.strerror or error}") from error

    async def _speak(self, place: Place, reached: socket.socket) -> Connection:
        """Over the socket, which is the transport's from here on."""
        connect = asyncio.get_running_loop().create_connection
        if not place.secure:
            _, connection = await connect(Connection, sock=reached)
            return connection
        name = place.host.rstrip(".")
        _, connection = await connect(Connection, sock=reached, ssl=self._trust, server_hostname=name)
        return connection


def head(lines: Sequence[str]) -> bytes:
    """Lines of a request's head. Raises `Failed` where one of them would become two."""
    if _CONTROL.search("".join(lines)):
        line = next(line for line in lines if _CONTROL.search(line))
        raise Failed(f"a header cannot be sent: {line!r}", permanent=True)
    return ("\r\n".join(lines) + "\r\n").encode()


def _key(place: Place) -> tuple[bool, str, int]:
    return place.secure, place.host, place.port


def _system_trust() -> ssl.SSLContext:
    """The authorities that this system trusts: read from the disk, for tens of milliseconds."""
    trust = ssl.create_default_context()
    trust.set_alpn_protocols(["http/1.1"])
    return trust
