"""Bytes on their way out, checked against their crc64nvme: a few that are in memory at once, others streamed.

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

from alight.errors.store import Damaged
from alight.store.checksums import ALGORITHMS, checksum, encode
from alight.store.shapes import Segment

CHUNK_SIZE = 256 << 10

#: Linux: read what is in memory without leaving the event loop's thread.
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


@dataclass(frozen=True, slots=True)
class Place:
    """The file of a body (folder and name), and where in it that begins; `reader` is a descriptor that reads it and is
    not to be closed, where there is one."""

    folder: str
    name: str
    start: int = 0
    reader: int | None = None


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


#: Where the body with this id lies.
Locate = Callable[[str], Place]


def read_at_once(slices: list[Slice], locate: Locate) -> bytes | None:
    """All bytes in one step, with nothing to keep or to let go; None where some are not in memory. Raises `Damaged`."""
    parts = []
    for item in slices:
        part = _from_memory(item, locate) if item.data is None else _checked(item, item.data)
        if part is None:
            return None
        parts.append(part)
    return b"".join(parts)


def _from_memory(item: Slice, locate: Locate) -> bytes | None:
    place, size = locate(item.segment.body), item.end - item.start
    descriptor = _open(place, item.segment.body) if place.reader is None else place.reader
    try:
        found = _read_now(descriptor, size, place.start + item.start)
    finally:
        if place.reader is None:
            os.close(descriptor)
    if found is None or len(found) < size:
        return None
    if item.whole and not _matches(found, item.segment):
        raise Damaged("bodies", item.segment.body)
    return found


class Body(AsyncIterator[bytes]):
    """An open body. Read it to its end, or `aclose` it, or drop it: until then its bytes are kept."""

    def __init__(
        self,
        slices: list[Slice],
        locate: Locate,
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


async def _chunks(slices: list[Slice], locate: Locate, threads: ThreadPoolExecutor) -> AsyncGenerator[bytes, None]:
    for item in slices:
        if item.data is not None:
            yield _checked(item, item.data)
            continue
        place = locate(item.segment.body)
        descriptor = _open(place, item.segment.body)
        try:
            crc = ALGORITHMS["crc64nvme"]()
            position = item.start
            while position < item.end:
                chunk = await _read(threads, descriptor, min(CHUNK_SIZE, item.end - position), place.start + position)
                position += len(chunk)
                crc.update(chunk)
                if not chunk or (
                    position == item.end and item.whole and encode(crc.digest()) != item.segment.crc64nvme
                ):
                    raise Damaged("bodies", item.segment.body)
                yield chunk
        finally:
            os.close(descriptor)


def _open(place: Place, body: str) -> int:
    try:
        folder = os.open(place.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            return os.open(place.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError:
        raise Damaged("bodies", body) from None


async def _read(threads: ThreadPoolExecutor, descriptor: int, size: int, position: int) -> bytes:
    """Up to `size` bytes; none at the end of the file, or where the disk cannot read them."""
    found = _read_now(descriptor, size, position)
    if found is not None:
        return found
    with suppress(OSError):
        return await asyncio.get_running_loop().run_in_executor(threads, os.pread, descriptor, size, position)
    return b""


def _read_now(descriptor: int, size: int, position: int) -> bytes | None:
    """What of it is in memory; None where that is nothing, or cannot be asked for."""
    if _NOWAIT is None:
        return None
    buffer = bytearray(size)
    try:
        count = os.preadv(descriptor, [buffer], position, _NOWAIT)
    except OSError:
        return None
    return bytes(buffer if count == size else memoryview(buffer)[:count])


def _matches(data: bytes, segment: Segment) -> bool:
    return checksum("crc64nvme", data) == segment.crc64nvme


def _checked(item: Slice, data: bytes) -> bytes:
    if len(data) != item.segment.size or not _matches(data, item.segment):
        raise Damaged("bodies", item.segment.body)
    return data[item.start : item.end]
