"""Bytes on their way out: streamed, checked against their crc64nvme as they pass.

Where a whole segment is read and does not match, the error comes before its last chunk, so that nobody takes damaged
bytes for a whole object.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from alight.errors.store import Damaged
from alight.store.checksums import ALGORITHMS, encode
from alight.store.shapes import Segment

CHUNK_SIZE = 256 << 10

#: Linux: read what is in memory without leaving the event loop's thread.
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


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
    """An open body. Read it to its end, or `aclose` it: until then its bytes are kept."""

    def __init__(
        self,
        slices: list[Slice],
        locate: Callable[[str], Path],
        threads: ThreadPoolExecutor,
        release: Callable[[], None],
    ) -> None:
        self._locate = locate
        self._threads = threads
        self._release: Callable[[], None] | None = release
        self._source = self._chunks(slices)

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

    async def _chunks(self, slices: list[Slice]) -> AsyncGenerator[bytes, None]:
        for item in slices:
            if item.data is not None:
                yield _checked(item, item.data)
                continue
            descriptor = self._open(item.segment)
            try:
                async for chunk in self._file_chunks(item, descriptor):
                    yield chunk
            finally:
                os.close(descriptor)

    async def _file_chunks(self, item: Slice, descriptor: int) -> AsyncGenerator[bytes, None]:
        crc = ALGORITHMS["crc64nvme"]()
        position = item.start
        while position < item.end:
            chunk = await self._read(descriptor, min(CHUNK_SIZE, item.end - position), position)
            position += len(chunk)
            crc.update(chunk)
            if not chunk or (position == item.end and item.whole and encode(crc.digest()) != item.segment.crc64nvme):
                raise Damaged("bodies", item.segment.body)
            yield chunk

    def _open(self, segment: Segment) -> int:
        path = self._locate(segment.body)
        try:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                return os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError:
            raise Damaged("bodies", segment.body) from None

    async def _read(self, descriptor: int, size: int, position: int) -> bytes:
        """Up to `size` bytes; none at the end of the file, or where the disk cannot read them."""
        if _NOWAIT is not None:
            buffer = bytearray(size)
            try:
                return bytes(memoryview(buffer)[: os.preadv(descriptor, [buffer], position, _NOWAIT)])
            except OSError:
                pass
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, os.pread, descriptor, size, position)
        except OSError:
            return b""


def _checked(item: Slice, data: bytes) -> bytes:
    crc = ALGORITHMS["crc64nvme"]()
    crc.update(data)
    if len(data) != item.segment.size or encode(crc.digest()) != item.segment.crc64nvme:
        raise Damaged("bodies", item.segment.body)
    return data[item.start : item.end]
