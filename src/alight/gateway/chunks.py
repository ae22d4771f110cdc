"""aws-chunked bodies: frames of `size;chunk-signature=...`, each verified before its bytes are handed on.

    10000;chunk-signature=ad80c730...\\r\\n
    <65536 bytes>\\r\\n
    0;chunk-signature=b6c6ea8a...\\r\\n
    x-amz-checksum-crc32:sOO8/Q==\\r\\n
    x-amz-trailer-signature:d81f82fc...\\r\\n
    \\r\\n

Each signature is chained to the one before. A signed chunk is held until its signature is known to be right;
unsigned ones pass as they come.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator

from alight.errors.gateway import IncompleteBody, InvalidChunk, MalformedTrailer, SignatureDoesNotMatch
from alight.gateway.canonical import EMPTY_SHA256
from alight.gateway.signature import ChunkSeed

#: A signed chunk has to fit into memory; AWS's clients send 64 KiB to 1 MiB.
MAX_SIGNED_CHUNK = 16 * 1024 * 1024
MAX_LINE = 1024
MAX_TRAILERS = 16 * 1024

_HEADER = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER = re.compile(rb"([A-Za-z0-9-]{1,100}):[ \t]*([!-~]{1,1000})[ \t]*")


class ChunkDecoder:
    """`feed` takes what arrives and yields what may be used; `finish` says that nothing more will come.

    `seed` is None for unsigned chunks; `announced` are the trailer names of `x-amz-trailer` (empty: no trailer).
    """

    def __init__(self, seed: ChunkSeed | None, announced: frozenset[str]) -> None:
        self.trailers: dict[str, str] = {}
        self._seed = seed
        self._announced = announced
        self._previous = seed.signature if seed else ""
        self._buffer = bytearray()
        self._left = 0
        self._signature: bytes | None = None
        self._state = self._read_header

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises a `Fault` at the first byte that is out of order."""
        self._buffer += data
        while True:
            state = self._state
            piece = state()
            if piece:
                yield piece
            if piece is None and self._state == state:
                return

    def finish(self) -> None:
        """Raises `IncompleteBody` where the last chunk did not come."""
        if self._state != self._done:
            raise IncompleteBody

    # Each state takes what it can from the buffer; None with the same state means: more bytes are needed.

    def _read_header(self) -> bytes | None:
        line = self._line(MAX_LINE)
        if line is None:
            return None
        found = _HEADER.fullmatch(line)
        if found is None or (found[2] is None) != (self._seed is None):
            raise InvalidChunk
        self._left = int(found[1], 16)
        self._signature = found[2]
        if self._left:
            if self._seed and self._left > MAX_SIGNED_CHUNK:
                raise InvalidChunk("A signed chunk is too large.")
            self._state = self._read_signed if self._seed else self._read_plain
            return b""
        if self._seed:
            self._check_chunk(b"")
        self._state = self._read_trailers
        return b""

    def _read_plain(self) -> bytes | None:
        if not self._buffer:
            return None
        piece = self._take(min(self._left, len(self._buffer)))
        self._left -= len(piece)
        if not self._left:
            self._state = self._read_end
        return piece

    def _read_signed(self) -> bytes | None:
        if len(self._buffer) < self._left:
            return None
        piece = self._take(self._left)
        self._check_chunk(piece)
        self._state = self._read_end
        return piece

    def _read_end(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        if self._take(2) != b"\r\n":
            raise InvalidChunk
        self._state = self._read_header
        return b""

    def _read_trailers(self) -> bytes | None:
        if self._buffer[:2] == b"\r\n":
            block, size = b"", 2
        else:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_TRAILERS:
                    raise MalformedTrailer
                return None
            block, size = bytes(self._buffer[:end]), end + 4
        del self._buffer[:size]
        self._check_trailers(block)
        self._state = self._done
        return b""

    def _done(self) -> bytes | None:
        if self._buffer:
            raise InvalidChunk("There is data after the last chunk.")
        return None

    def _check_chunk(self, piece: bytes) -> None:
        seed = self._seed
        assert seed is not None
        assert self._signature is not None
        hashed = hashlib.sha256(piece).hexdigest() if piece else EMPTY_SHA256
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{seed.moment}\n{seed.scope}\n{self._previous}\n{EMPTY_SHA256}\n{hashed}"
        self._previous = self._compare(seed, text, self._signature)

    def _compare(self, seed: ChunkSeed, text: str, given: bytes) -> str:
        expected = hmac.digest(seed.key, text.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), given):
            raise SignatureDoesNotMatch
        return expected

    def _check_trailers(self, block: bytes) -> None:
        found: dict[str, str] = {}
        canonical = b""
        signature = None
        for line in block.split(b"\r\n") if block else ():
            match = _TRAILER.fullmatch(line.rstrip(b"\n"))
            name = match[1].lower().decode() if match else ""
            if match is None or name in found:
                raise MalformedTrailer
            if name == "x-amz-trailer-signature":
                signature = match[2]
                continue
            found[name] = match[2].decode()
            canonical += name.encode() + b":" + match[2] + b"\n"
        if set(found) != self._announced:
            raise MalformedTrailer
        if self._seed and self._announced:
            self._check_trailer_signature(self._seed, canonical, signature)
        elif signature is not None:
            raise MalformedTrailer
        self.trailers.update(found)

    def _check_trailer_signature(self, seed: ChunkSeed, canonical: bytes, given: bytes | None) -> None:
        if given is None:
            raise MalformedTrailer
        hashed = hashlib.sha256(canonical).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{seed.moment}\n{seed.scope}\n{self._previous}\n{hashed}"
        self._compare(seed, text, given)

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, limit + 2)
        if end < 0:
            if len(self._buffer) > limit:
                raise InvalidChunk
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, size: int) -> bytes:
        piece = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return piece
