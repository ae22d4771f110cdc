"""Bytes on their way out: streamed, checked against their crc64nvme as they pass.

Where a whole segment is read and does not match, the error comes before its last chunk, so that nobody takes damaged
bytes for a whole object.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from alight.errors.store import Damaged
from alight.store.checksums import ALGORITHMS, Hasher, encode
from alight.store.shapes import Segment

CHUNK_SIZE = 256 << 10

#: Linux: read what is in memory without leaving the event loop's thread.
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


@dataclass(frozen=True, slots=True)
class Place:
    """The file of a body, and where in it that begins."""

    path: Path
    start: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """The bytes `start` to `end` of a segment; `data` are all bytes of a small one."""

    segment: Segment
    start: int
    end: int
    data: bytes | None

    @property
    def whole(self) -> bool:
        return self.start == 0 and self.end == self.segment.size


class Body(AsyncIterator[bytes]):
    """An open body. Read it to its end, or `aclose` it, or drop it: until then its bytes are kept."""

    def __init__(
        self,
        slices: list[Slice],
        locate: Callable[[str], Place],
        threads: ThreadPoolExecutor,
        release: Callable[[], None],
    ) -> None:
        self._release: Callable[[], None] | None = release
        # The generator does not know this object, so that dropping it ends both at once.
        self._source = _chunks(slices, locate, threads)

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._source)
        except BaseException:
            self._let_go()
            raise

    async def aclose(self) -> None:
        """Stop reading."""
        await self._source.aclose()
        self._let_go()

    def __del__(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


async def _chunks(
    slices: list[Slice], locate: Callable[[str], Place], threads: ThreadPoolExecutor
) -> AsyncGenerator[bytes, None]:
    for item in slices:
        if item.data is not None:
            yield _checked(item, item.data)
            continue
        place = locate(item.segment.body)
        descriptor = _open(place.path, item.segment.body)
        try:
            crc = ALGORITHMS["crc64nvme"]()
            position = item.start
            while position < item.end:
                chunk = await _read(threads, descriptor, min(CHUNK_SIZE, item.end - position), place.start + position)
                position += len(chunk)
                crc.update(chunk)
                if not chunk or (position == item.end and item.whole and not _matches(crc, item.segment)):
                    raise Damaged("bodies", item.segment.body)
                yield chunk
        finally:
            os.close(descriptor)


def _open(path: Path, body: str) -> int:
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            return os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError:
        raise Damaged("bodies", body) from None


async def _read(threads: ThreadPoolExecutor, descriptor: int, size: int, position: int) -> bytes:
    """Up to `size` bytes; none at the end of the file, or where the disk cannot read them."""
    if _NOWAIT is not None:
        buffer = bytearray(size)
        with suppress(OSError):
            return bytes(memoryview(buffer)[: os.preadv(descriptor, [buffer], position, _NOWAIT)])
    with suppress(OSError):
        return await asyncio.get_running_loop().run_in_executor(threads, os.pread, descriptor, size, position)
    return b""


def _matches(crc: Hasher, segment: Segment) -> bool:
    return encode(crc.digest()) == segment.crc64nvme


def _checked(item: Slice, data: bytes) -> bytes:
    crc = ALGORITHMS["crc64nvme"]()
    crc.update(data)
    if len(data) != item.segment.size or not _matches(crc, item.segment):
        raise Damaged("bodies", item.segment.body)
    return data[item.start : item.end]
