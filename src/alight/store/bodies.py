"""Where the bytes of objects lie: small ones in their own table, those of middle size in packs (`packs`), larger ones
as files `bodies/<2 hex>/<id>`.

A body is named by an id, never by a key, so no key is ever a path. Copies refer to the same bytes. A file, or a place
in a pack, goes when nobody refers to it, after the commit that says so and after the last reader: a crash in between
leaves an orphan for `sweep`, never a row without bytes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from alight.errors.store import Damaged
from alight.store.connections import sync_directory
from alight.store.database import Database, Reader, Tx
from alight.store.ground import BODIES
from alight.store.packs import Packed, Packs
from alight.store.reading import CHUNK_SIZE, Body, Place, Slice, read_at_once
from alight.store.receiving import Incoming
from alight.store.shapes import Segment

TEMPORARY = "tmp"

#: Orphans that one write job looks up.
_SWEEP_BATCH = 500

_SHARDS = tuple(f"{number:02x}" for number in range(256))


class Bodies:
    """The bytes of one data folder. Used from the event loop; what takes a `Tx` from the writer's thread."""

    def __init__(self, database: Database, folder: Path, threads: ThreadPoolExecutor) -> None:
        self._database = database
        self._threads = threads
        self.folder = folder / BODIES
        self.temporary = folder / TEMPORARY
        _make_folders(self.folder, self.temporary)
        # What lies in the temporary folder now was left by a crash; what comes later is in use.
        self._leftovers = list(self.temporary.iterdir())
        self.packs = Packs(folder)
        self._readers: Counter[str] = Counter()
        self._condemned: set[str] = set()
        self._holds = 0
        self._guard = threading.RLock()

    def place(self, tx: Tx, incoming: Incoming) -> Segment:
        """Put what was received in its place, as part of the job `tx`."""
        body, data = incoming.version_id, incoming.inline
        if incoming.path is not None:
            target = self._path(body)
            os.rename(incoming.path, target)
            tx.after_rollback(lambda: target.unlink(missing_ok=True))
            tx.sync_directory(target.parent)
        elif incoming.slot is not None:
            place = incoming.slot.claim()
            body = place.name
            tx.after_rollback(lambda: self.packs.free([place]))
        tx.run("bodies.add", id=body, size=incoming.size, crc64nvme=incoming.crc64nvme, data=data)
        return Segment(body, incoming.size, incoming.crc64nvme, data is not None)

    def share(self, tx: Tx, segments: Iterable[Segment]) -> None:
        """One more object refers to these bytes. Raises `Damaged` where they are not there."""
        for segment in segments:
            tx.run("bodies.share", id=segment.body)
            if not tx.changes:
                raise Damaged("bodies", segment.body)

    def release(self, tx: Tx, segments: Iterable[Segment]) -> None:
        """One fewer object refers to these bytes; where it was the last, they go after the commit."""
        gone = []
        for segment in segments:
            tx.run("bodies.release", id=segment.body)
            if not tx.changes:
                tx.run("bodies.delete", id=segment.body)
                gone += [] if segment.inline else [segment.body]
        if gone:
            tx.after_commit(lambda: self._remove(gone))

    def open(self, segments: Iterable[Segment], start: int, end: int) -> Body:
        """The bytes from `start` up to `end`, kept for this reader even where they are overwritten meanwhile.

        Raises `Damaged` where small ones are missing.
        """
        slices = self._slices(segments, start, end)
        pinned = [item.segment.body for item in slices if item.data is None]
        with self._guard:
            self._readers.update(pinned)
        return Body(slices, self._place, self._threads, lambda: self._unpin(pinned))

    def read_at_once(self, segments: Iterable[Segment], start: int, end: int) -> bytes | None:
        """The same in one step with the look-up of the object, where they are few and in memory; else None. No byte
        goes meanwhile, as that begins on the event loop, too (`_remove`). Raises `Damaged`."""
        return read_at_once(self._slices(segments, start, end), self._place) if end - start <= CHUNK_SIZE else None

    def _slices(self, segments: Iterable[Segment], start: int, end: int) -> list[Slice]:
        slices = []
        position = 0
        for segment in segments:
            first, last = max(start - position, 0), min(end - position, segment.size)
            position += segment.size
            if first < last:
                data = self._inline(segment) if segment.inline else None
                slices.append(Slice(segment, first, last, data))
        return slices

    @contextmanager
    def kept(self) -> Iterator[None]:
        """While this lasts no file goes: a backup copies what its copy of the database says, which grows old."""
        with self._guard:
            self._holds += 1
        try:
            yield
        finally:
            with self._guard:
                self._holds -= 1
                gone = self._no_longer_needed(list(self._condemned))
            self._erase(gone)

    async def sweep(self) -> int:
        """Remove temporary files of an earlier life and files that no row refers to; how many there were."""
        leftovers, self._leftovers = self._leftovers, []
        removed = await asyncio.to_thread(_unlink_all, leftovers)
        removed += await asyncio.to_thread(self.packs.sweep, self._packed, self._reads_in)
        strangers = await asyncio.to_thread(self._database.run_apart, self._strangers)
        for start in range(0, len(strangers), _SWEEP_BATCH):
            batch = strangers[start : start + _SWEEP_BATCH]
            unknown = await self._database.write(partial(self._unknown, ids=batch))
            removed += await asyncio.to_thread(self._erase, self._nobody_reads(unknown))
        return removed

    def close(self) -> None:
        """No descriptor stays open."""
        self.packs.close()

    def _packed(self, pack: str) -> list[Packed]:
        """The places of one pack that somebody refers to, in their order."""
        rows = self._database.run_apart(lambda reader: reader.all("bodies.packed", start=f"p{pack}", end=f"p{pack}g"))
        return [place for row in rows if (place := Packed.of(row["id"]))]

    def _reads_in(self, pack: str) -> bool:
        """Whether bytes of a pack are kept for somebody."""
        with self._guard:
            read = {body for body, count in self._readers.items() if count > 0} | self._condemned
        return self._holds > 0 or any(body.startswith(f"p{pack}") for body in read)

    def _strangers(self, reader: Reader) -> list[str]:
        found = []
        for shard in _SHARDS:
            if present := set(os.listdir(self.folder / shard)):
                known = reader.all("bodies.known", start=shard, end=shard + "g")
                found += sorted(present - {row["id"] for row in known})
        return found

    @staticmethod
    def _unknown(tx: Tx, ids: list[str]) -> list[str]:
        # Looked up once more in a job: a body whose job was running at the first look is known by now.
        return [body for body in ids if tx.one("bodies.exists", id=body) is None]

    def _inline(self, segment: Segment) -> bytes:
        row = self._database.read().one("bodies.data", id=segment.body)
        if row is None or row["data"] is None:
            raise Damaged("bodies", segment.body)
        data: bytes = row["data"]
        return data

    def _path(self, body: str) -> Path:
        return self.folder / body[:2] / body

    def _place(self, body: str) -> Place:
        packed = Packed.of(body)
        if packed:
            return Place(str(self.packs.folder), packed.pack, packed.start, self.packs.reader(packed.pack))
        return Place(f"{self.folder}/{body[:2]}", body)

    def _remove(self, ids: list[str]) -> None:
        if free := self._nobody_reads(ids):
            self._threads.submit(self._erase, free)

    def _erase(self, ids: Iterable[str]) -> int:
        """The bytes go (blocks); how many there were."""
        packed = {body: place for body in ids if (place := Packed.of(body))}
        self.packs.free(packed.values())
        return len(packed) + _unlink_all([self._path(body) for body in ids if body not in packed])

    def _nobody_reads(self, ids: list[str]) -> list[str]:
        """What may go now; the others go with their last reader."""
        with self._guard:
            read = {body for body in ids if self._holds or self._readers[body] > 0}
            self._condemned |= read
        return [body for body in ids if body not in read]

    def _unpin(self, ids: list[str]) -> None:
        with self._guard:
            self._readers.subtract(ids)
            idle = [body for body in ids if self._readers[body] <= 0]
            for body in idle:
                del self._readers[body]
            gone = self._no_longer_needed(idle)
        if gone:
            self._erase(gone)

    def _no_longer_needed(self, ids: Iterable[str]) -> set[str]:
        """Those of the condemned that nobody reads or keeps; they are no longer on the list."""
        gone = set() if self._holds else {body for body in self._condemned.intersection(ids) if not self._readers[body]}
        self._condemned -= gone
        return gone


def _unlink_all(paths: list[Path]) -> int:
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def _make_folders(bodies: Path, temporary: Path) -> None:
    temporary.mkdir(mode=0o700, exist_ok=True)
    bodies.mkdir(mode=0o700, exist_ok=True)
    missing = set(_SHARDS).difference(os.listdir(bodies))
    for shard in missing:
        (bodies / shard).mkdir(mode=0o700)
    if missing:
        sync_directory(bodies)
    sync_directory(bodies.parent)
