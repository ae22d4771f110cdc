"""The hatch of one worker: a pair of sockets, one end in the runtime, the other in the worker from its birth.

Nobody else holds an end, and there is no address to find, so whoever asks here is that worker: its calls need no
signature, and no HTTP. One call at a time; what does not fit here takes the usual way. A call is two lengths (head and
body), a line `METHOD TARGET`, a line `name:value` for each header, and the body. The answer begins with the status and
two lengths; status 0 stands for "ask the usual way", and then nothing was done. The worker's end: `hatch_end.py`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

log = logging.getLogger(__name__)

#: Bytes of a call's head and body; the worker sends what is longer the usual way.
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 1024 * 1024
_ASKED = struct.Struct("!II")
_ANSWERED = struct.Struct("!HIQ")


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker's call. `headers` have lower-case names; none comes twice."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Reply(Protocol):
    """`length` is that of a body that comes in pieces."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]: ...
    @property
    def body(self) -> bytes | AsyncIterator[bytes]: ...
    @property
    def length(self) -> int | None: ...


#: Answers a call of the worker with this access key and session token; None sends it the usual way.
Calls = Callable[[str, str, Asked], Awaitable[Reply | None]]


async def open_hatch(answer: Callable[[Asked], Awaitable[Reply | None]]) -> tuple[Hatch, socket.socket]:
    """The runtime's end, and the one that the worker is born with."""
    ours, theirs = socket.socketpair()
    try:
        ours.setblocking(False)
        _, hatch = await asyncio.get_running_loop().create_unix_connection(lambda: Hatch(answer), sock=ours)
    except BaseException:
        ours.close()
        theirs.close()
        raise
    return hatch, theirs


class Hatch(asyncio.Protocol):
    """The runtime's end. What is no call closes it: the worker then goes the usual way."""

    def __init__(self, answer: Callable[[Asked], Awaitable[Reply | None]]) -> None:
        self._answer = answer
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._loop = asyncio.get_running_loop()
        #: The call that is waited for, or served.
        self._call: asyncio.Future[Asked] = self._loop.create_future()
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._serving = self._loop.create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._room.set()
        self._call.cancel()  # a call that is served goes on: what it does may matter

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._call.done():
            self.close()  # it has not waited for its answer
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size < _ASKED.size:
            return
        if len(self._parts[0]) < _ASKED.size:
            self._parts = [b"".join(self._parts)]
        head, body = _ASKED.unpack_from(self._parts[0])
        if head > HEAD_LIMIT or body > BODY_LIMIT or self._size > _ASKED.size + head + body:
            self.close()
        elif self._size == _ASKED.size + head + body:
            whole = b"".join(self._parts)
            self._parts, self._size = [], 0
            asked = _read(whole, _ASKED.size + head)
            if asked is None:
                self.close()
                return
            self._call.set_result(asked)

    async def _serve(self) -> None:
        """One call after the other, in one task for all of them."""
        try:
            while self._transport is not None:
                asked = await self._call
                try:
                    reply = await self._answer(asked)
                    # Before the last byte leaves: with that the next call may come.
                    self._call = self._loop.create_future()
                    await self._send(reply)
                    del asked, reply  # the next call may be hours away, and both may be large
                except Exception:
                    log.exception("a worker's call %s %s failed", asked.method, asked.target)
                    return
        finally:
            self.close()

    async def _send(self, reply: Reply | None) -> None:
        if reply is None:
            self._write(_ANSWERED.pack(0, 0, 0))
            return
        body = reply.body
        if not isinstance(body, bytes) and reply.length is None:
            body = b"".join([piece async for piece in body])
        length = len(body) if isinstance(body, bytes) else reply.length or 0
        head = b"\n".join([name + b":" + value for name, value in reply.headers])
        start = _ANSWERED.pack(reply.status, len(head), length) + head
        if isinstance(body, bytes):
            self._write(start, body)
            return
        left = length
        async for piece in body:
            left -= len(piece)
            self._write(start, piece)
            start = b""
            await self._room.wait()
            if self._transport is None:
                return
        if start:
            self._write(start)
        if left:
            self.close()  # the worker finds out that it breaks off

    def _write(self, *parts: bytes) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(parts))


def _read(whole: bytes, head: int) -> Asked | None:
    first, *lines = whole[_ASKED.size : head].decode("latin-1").split("\n")
    method, _, target = first.partition(" ")
    parts = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip(" \t") for name, colon, value in parts if colon}
    # Fewer where one has no colon, or comes twice.
    return Asked(method, target, headers, whole[head:]) if len(headers) == len(lines) else None
