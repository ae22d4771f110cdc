"""A request's body as it arrives: counted, hashed, taken out of aws-chunked frames, and handed on only if right.

`Body` is the `Stream` that services see. Where a signature covers the whole body (not chunk by chunk), the last
piece is followed by the check: whoever has read to the end without a fault may keep what was read.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import replace
from typing import Any

from alight.asgi import Receive
from alight.errors.gateway import EntityTooLarge, IncompleteBody, InvalidArgument, MissingContentLength
from alight.gateway.chunks import ChunkDecoder
from alight.gateway.request import Request
from alight.gateway.signature import CHUNKED, ChunkSeed, Claim, Payload, check_hash


class RawBody:
    """The bytes as sent. `finished` is True when nothing more will come; `announced` None for chunked transfer."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self.announced = _length(headers, "content-length")
        is_chunked = "transfer-encoding" in headers
        if not is_chunked and self.announced is None:
            self.announced = 0
        self.finished = self.announced == 0
        self.waits_for_continue = headers.get("expect", "").lower() == "100-continue"
        self._count = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises `IncompleteBody` where the client goes away."""
        while not self.finished:
            if piece := self._piece(await self._receive()):
                yield piece
        self._check_count()

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `EntityTooLarge` as soon as it is known to be over `limit` bytes."""
        if self.announced is not None and self.announced > limit:
            raise EntityTooLarge
        parts, size = [], 0
        while not self.finished:
            piece = self._piece(await self._receive())
            size += len(piece)
            if size > limit:
                raise EntityTooLarge
            parts.append(piece)
        self._check_count()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def gone(self) -> None:
        """Returns when the client has gone. To be asked once all was read."""
        for _ in range(2):  # a request without a body is told of its end first
            if (await self._receive())["type"] == "http.disconnect":
                return
        await asyncio.get_running_loop().create_future()

    def _piece(self, message: Mapping[str, Any]) -> bytes:
        self.waits_for_continue = False
        if message["type"] != "http.request":
            raise IncompleteBody
        piece: bytes = message.get("body", b"")
        self._count += len(piece)
        self.finished = not message.get("more_body", False)
        return piece

    def _check_count(self) -> None:
        if self.announced is not None and self._count != self.announced:
            raise IncompleteBody


class Body:
    """The content: verified, without framing. `length` and `trailers` as `calls.Stream` says."""

    def __init__(self, raw: RawBody, headers: Mapping[str, str], claim: Claim, seed: ChunkSeed | None) -> None:
        self._raw = raw
        #: The hash that the whole must have, where it was signed.
        self._expected = claim.expected
        self._decoder: ChunkDecoder | None = None
        self.trailers: Mapping[str, str] = {}
        self.length = raw.announced
        if claim.payload in CHUNKED:
            self.length = _length(headers, "x-amz-decoded-content-length")
            if self.length is None:
                raise MissingContentLength
            self._decoder = ChunkDecoder(
                None if claim.payload is Payload.UNSIGNED_TRAILER else seed, _announced(headers, claim.payload)
            )
            self.trailers = self._decoder.trailers

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    def read(self, limit: int) -> Awaitable[bytes]:
        """The whole content. Raises `EntityTooLarge` above `limit` bytes."""
        if self.length is not None and self.length > limit:
            raise EntityTooLarge
        return self._read_plain(limit) if self._decoder is None else self._read_framed(limit)

    async def _read_framed(self, limit: int) -> bytes:
        parts, size = [], 0
        async for piece in self._pieces():
            size += len(piece)
            if size > limit:
                raise EntityTooLarge
            parts.append(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _read_plain(self, limit: int) -> bytes:
        """The same without a generator for each step: most bodies are small and come in one piece."""
        content = await self._raw.read(limit)
        if self._expected is not None:
            check_hash(self._expected, hashlib.sha256(content).hexdigest())
        return content

    async def _pieces(self) -> AsyncIterator[bytes]:
        count = 0
        hasher = hashlib.sha256() if self._expected is not None else None
        async for piece in self._unframed():
            count += len(piece)
            if self.length is not None and count > self.length:
                raise IncompleteBody("The body is longer than was announced.")
            if hasher is not None:
                hasher.update(piece)
            yield piece
        if self.length is not None and count != self.length:
            raise IncompleteBody
        if hasher is not None and self._expected is not None:
            check_hash(self._expected, hasher.hexdigest())

    async def _unframed(self) -> AsyncIterator[bytes]:
        decoder = self._decoder
        if decoder is None:
            async for piece in self._raw.pieces():
                yield piece
            return
        async for piece in self._raw.pieces():
            for content in decoder.feed(piece):
                yield content
        decoder.finish()


class WholeStream:
    """A body that was read whole (its hash was signed), for an operation that wants a stream."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length: int | None = len(content)
        self.trailers: Mapping[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._content:
            yield self._content

    async def read(self, limit: int) -> bytes:
        """The whole content. Raises `EntityTooLarge` above `limit` bytes."""
        if len(self._content) > limit:
            raise EntityTooLarge
        return self._content


def without_framing(request: Request, claim: Claim) -> Request:
    """The request as if it had been sent without aws-chunked: content-encoding and length of the content itself."""
    if claim.payload not in CHUNKED:
        return request
    headers = dict(request.headers)
    codings = [part.strip() for part in headers.pop("content-encoding", "").split(",")]
    kept = ",".join(part for part in codings if part and part.lower() != "aws-chunked")
    if kept:
        headers["content-encoding"] = kept
    headers["content-length"] = headers.get("x-amz-decoded-content-length", "0")
    return replace(request, headers=headers)


def _announced(headers: Mapping[str, str], payload: Payload) -> frozenset[str]:
    names = frozenset(part.strip().lower() for part in headers.get("x-amz-trailer", "").split(",") if part.strip())
    if names and payload is Payload.SIGNED_CHUNKS:
        raise InvalidArgument("x-amz-trailer needs a payload with trailers.")
    return names


def _length(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise InvalidArgument(f"{name} is not a length.")
    return int(text)
