"""Bytes on their way in: hashed as they come, kept in memory while few, else spooled to a file and flushed.

Nothing is promised yet. What is received waits for the write job that puts it in place; until then it can be
thrown away, and after a crash the next start does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from alight.errors.store import InsufficientStorage
from alight.names import new_version_id
from alight.store.checksums import ALGORITHMS, Hasher, checksum, encode
from alight.store.connections import BROKEN, NO_ROOM, sync_descriptor
from alight.store.packs import Packs, Slot
from alight.store.room import Room

#: Bodies up to this size lie in rows.
INLINE_LIMIT = 64 << 10

#: Bodies in a row that go to one folder: as many as a commit group may hold.
NEIGHBOURS = 256

#: Bytes gathered before a thread hashes and writes them.
SPOOL_SIZE = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A body that has arrived whole. `digests` has the base64 values of the algorithms that were asked for, and
    always crc64nvme. Exactly one of `inline`, `path` and `slot` is given."""

    size: int
    md5_hex: str
    digests: dict[str, str]
    version_id: str
    inline: bytes | None = None
    path: Path | None = None
    slot: Slot | None = None

    @property
    def crc64nvme(self) -> str:
        return self.digests["crc64nvme"]

    def discard(self) -> None:
        """Throw the bytes away; harmless once they have been put in place."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        if self.slot is not None:
            self.slot.abandon()


class Receiver:
    """Receives bodies into `folder` (a folder for temporary files on the file system of the bodies).

    Bodies of middle size go into `packs`. `room` says whether there is any; `on_broken` is told of a disk that fails.
    """

    def __init__(
        self,
        folder: Path,
        threads: ThreadPoolExecutor,
        packs: Packs,
        room: Room,
        on_broken: Callable[[OSError], None],
    ) -> None:
        self._on_broken = on_broken
        self._folder = folder
        self._threads = threads
        self._packs = packs
        self._room = room
        self._names = Names()

    async def receive(self, chunks: AsyncIterable[bytes], algorithms: tuple[str, ...] = ()) -> Incoming:
        """Take everything from `chunks`. Whatever `chunks` raises is raised here, with nothing left behind.

        Raises `InsufficientStorage` where there is no room.
        """
        self._room.check()
        version_id = self._names.next()
        digest = _Digest(algorithms)
        spool, slot = _Spool(self._folder / version_id), Slot(self._packs)
        waiting: list[bytes] = []
        held = 0
        try:
            async for chunk in chunks:
                waiting.append(chunk)
                held += len(chunk)
                if held >= SPOOL_SIZE:
                    await self._in_thread(spool.write, digest, waiting)
                    waiting, held = [], 0
            if not spool.opened and held <= INLINE_LIMIT:
                return digest.close(version_id, inline=digest.take(waiting))
            if not spool.opened and held <= self._packs.limit:
                await self._in_thread(_pack, slot, digest, waiting)
                return digest.close(version_id, slot=slot)
            await self._in_thread(spool.finish, digest, waiting)
            return digest.close(version_id, path=spool.path)
        except BaseException as error:
            # In a thread, behind the write that may still be running there.
            self._threads.submit(spool.abandon)
            self._threads.submit(slot.abandon)
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise InsufficientStorage() from error
            if isinstance(error, OSError) and error.errno in BROKEN:
                self._on_broken(error)
            raise

    def take(self, data: bytes, algorithms: tuple[str, ...] = ()) -> Incoming:
        """A small body (up to `INLINE_LIMIT` bytes) that is here whole. Raises `InsufficientStorage`."""
        self._room.check()
        md5_hex = hashlib.md5(data, usedforsecurity=False).hexdigest()
        digests = {name: checksum(name, data) for name in {*algorithms, "crc64nvme"}}
        return Incoming(len(data), md5_hex, digests, self._names.next(), data)

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)


class Names:
    """Names of bodies, unguessable but for the two digits that are a file's folder: neighbours in time have the same.

    Each folder whose names a commit makes durable costs a flush of the disk, one after the other: PUTs that come
    together have one folder to flush, not one each.
    """

    def __init__(self) -> None:
        self._given = int.from_bytes(os.urandom(2), "big")

    def next(self) -> str:
        self._given += 1
        return f"{self._given // NEIGHBOURS % 256:02x}{new_version_id()[2:]}"


class _Digest:
    """MD5 and crc64nvme of everything, and whatever else was asked for."""

    def __init__(self, algorithms: tuple[str, ...]) -> None:
        self._md5 = ALGORITHMS["md5"]()
        self._others: dict[str, Hasher] = {name: ALGORITHMS[name]() for name in {*algorithms, "crc64nvme"} - {"md5"}}
        self._with_md5 = "md5" in algorithms
        self._size = 0

    def update(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._size += len(chunk)
            self._md5.update(chunk)
            for hasher in self._others.values():
                hasher.update(chunk)

    def take(self, chunks: list[bytes]) -> bytes:
        data = b"".join(chunks)
        self.update([data])
        return data

    def close(
        self, version_id: str, inline: bytes | None = None, path: Path | None = None, slot: Slot | None = None
    ) -> Incoming:
        digests = {name: encode(hasher.digest()) for name, hasher in self._others.items()}
        md5 = self._md5.digest()
        if self._with_md5:
            digests["md5"] = encode(md5)
        return Incoming(self._size, md5.hex(), digests, version_id, inline, path, slot)


def _pack(slot: Slot, digest: _Digest, chunks: list[bytes]) -> None:
    slot.fill(digest.take(chunks))


class _Spool:
    """A temporary file, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = False
        self._descriptor = -1
        self._abandoned = False
        self._lock = threading.Lock()

    def write(self, digest: _Digest, chunks: list[bytes]) -> None:
        with self._lock:
            self._write(digest, chunks)

    def finish(self, digest: _Digest, chunks: list[bytes]) -> None:
        """Write the rest and flush it all to the disk."""
        with self._lock:
            self._write(digest, chunks)
            if self._descriptor >= 0:
                sync_descriptor(self._descriptor)
                self._close()

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            self._close()
            self.path.unlink(missing_ok=True)

    def _write(self, digest: _Digest, chunks: list[bytes]) -> None:
        if self._abandoned:
            return
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o600)
            self.opened = True
        digest.update(chunks)
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
