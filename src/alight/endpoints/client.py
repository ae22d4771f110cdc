"""The supervisor's end of a replica's socket: one kept-alive HTTP/1.1 connection.

Requests may follow one another before the first is answered (pipelining); the answers come in their order. Whether a
replica takes more than one is the fleet's to know.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import httptools

from alight.endpoints.contract import FAILED, Reply
from alight.endpoints.parts import Parts


class ReplicaGone(Exception):
    """The connection ended before the answer was complete."""


class BadAnswer(Exception):
    """The replica answered something that is not HTTP, or more than is allowed."""


#: Told what became of a request, in the moment in which the answer is complete.
Told = Callable[[Reply | ReplicaGone | BadAnswer], None]


class Connection(asyncio.Protocol):
    """Parses answers as they arrive. `lost` is done when the connection has ended."""

    def __init__(self, max_answer: int) -> None:
        self._max = max_answer
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Told, Parts | None]] = deque()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._parser = httptools.HttpResponseParser(self)
        self.on_message_begin()

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, parts: Parts | None, told: Told
    ) -> None:
        """Where `parts` are given, they get the answer as it arrives, and what is told at its end has no body. `told`
        is called once, whatever happens."""
        text = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        for name, value in headers.items():
            if value:
                text += f"{name}: {value if value.isprintable() else ' '.join(value.splitlines())}\r\n"
        head = f"{text}\r\n".encode("latin-1", "replace")
        self._waiting.append((told, parts))
        if self._transport is None or self.lost.done():
            self._loop.call_soon(self._fail_all)
        else:
            self._transport.writelines([head, body] if body else [head])

    async def ask(self, method: str, path: str) -> Reply:
        """Raises `ReplicaGone` or `BadAnswer`."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self.send(method, path, {}, b"", None, partial(settle, answer))
        return await answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        self._end()
        self._fail_all()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(BadAnswer(f"not HTTP: {error}"))
            self.close()

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._waiting and (parts := self._waiting[0][1]) is not None:
            parts.begin(self._reply())

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max:
            self._fail(BadAnswer(f"the answer is longer than {self._max:,} bytes"))
            self.close()
        elif self._waiting and (parts := self._waiting[0][1]) is not None:
            parts.add(part)
        else:
            self._parts.append(part)

    def _reply(self) -> Reply:
        failed = self._headers.get(FAILED.lower())
        return Reply(
            body=b"".join(self._parts) if failed is None else failed.encode(),
            content_type=self._headers.get("content-type", ""),
            status=self._parser.get_status_code() if failed is None else 500,
            headers=self._headers,
        )

    def on_message_complete(self) -> None:
        reply = self._reply()
        if not self._parser.should_keep_alive():
            self._end()
        # Who is told may send the next request at once: before anything else that the loop has to do.
        if self._waiting:
            told, _ = self._waiting.popleft()
            told(reply)

    def _end(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        self.close()

    def _fail_all(self) -> None:
        while self._waiting:
            self._fail(ReplicaGone())

    def _fail(self, error: ReplicaGone | BadAnswer) -> None:
        """The answer that is due first will not come."""
        if self._waiting:
            told, _ = self._waiting.popleft()
            told(error)


def settle(answer: asyncio.Future[Reply], outcome: Reply | Exception) -> None:
    """Unless whoever asked has heard already, or is gone."""
    if answer.done():
        return
    if isinstance(outcome, Reply):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)


async def connect(path: Path, max_answer: int) -> Connection:
    """Raises `OSError` where nobody listens (yet)."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_unix_connection(lambda: Connection(max_answer), str(path))
    return connection
