"""A request's body, read when somebody needs it, within API Gateway's limit; what nobody read is dealt with here, too.

A connection whose body was not read through cannot be used again. A small rest is read and dropped; for a large one the
connection is closed, gently: the client gets a moment to read the answer, which closing at once would take from it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from alight.apis.request import Incoming
from alight.asgi import Receive
from alight.errors.apis import RequestTooLargeException

#: Bytes of the largest request.
LIMIT = 10 * 1024 * 1024
#: Bytes that are read and dropped for the sake of the connection.
DRAIN = 64 * 1024
#: Seconds and bytes for which a larger rest is still taken: a picture that is too large, not an endless stream.
LINGER_SECONDS = 5.0
LINGER_BYTES = 32 * 1024 * 1024


class Gone(Exception):
    """The client went away before its request was complete."""


class Body:
    """`finished` says that nothing more will come."""

    def __init__(self, incoming: Incoming, receive: Receive) -> None:
        self._receive = receive
        headers = incoming.single
        length = headers.get("content-length")
        is_chunked = "transfer-encoding" in headers
        self._announced = int(length) if length is not None and length.isdigit() else None if is_chunked else 0
        self.finished = self._announced == 0
        # Such a client sends nothing before it is asked to, so that there is nothing to wait for.
        self._waits = headers.get("expect", "").lower() == "100-continue"
        self._whole: bytes | None = b"" if self.finished else None

    async def read(self) -> bytes:
        """The whole body, also a second time. Raises `RequestTooLargeException` as soon as that is known, or `Gone`."""
        if self._whole is None:
            if self._announced is not None and self._announced > LIMIT:
                raise RequestTooLargeException
            parts, size = [], 0
            while not self.finished:
                piece = await self._piece()
                size += len(piece)
                if size > LIMIT:
                    raise RequestTooLargeException
                parts.append(piece)
            self._whole = parts[0] if len(parts) == 1 else b"".join(parts)
        return self._whole

    async def settle(self) -> bool:
        """Before the answer: whether the connection can be used again."""
        if self.finished:
            return True
        if self._waits or self._announced is None or self._announced > DRAIN:
            return False
        with suppress(Gone):
            while not self.finished:
                await self._piece()
        return self.finished

    async def linger(self) -> None:
        """After the answer, before the connection is closed."""
        size = 0
        with suppress(Gone, TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.finished and size <= LINGER_BYTES:
                    size += len(await self._piece())

    async def _piece(self) -> bytes:
        message = await self._receive()
        self._waits = False
        if message["type"] == "http.disconnect":
            raise Gone
        self.finished = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece
