"""The object store: rows of `objects` and the bytes that they refer to. No AWS shapes; S3's rules are the service's.

A PUT is two steps. `receive` takes the bytes and flushes them; `put`, inside a write job, puts them in place and
says so in a row. Whatever must become true with it, the events of the object above all, joins the same job.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from alight.names import new_version_id
from alight.store.bodies import Bodies
from alight.store.buckets import Buckets
from alight.store.database import Database, Tx
from alight.store.ground import SEQUENCER
from alight.store.listing import list_objects, list_page
from alight.store.reading import Body
from alight.store.receiving import Incoming, Receiver
from alight.store.shapes import (
    INFO_FIELDS,
    ObjectInfo,
    ObjectRow,
    Page,
    Part,
    Segment,
    dump_info,
    dump_parts,
    dump_segments,
    load_object,
)
from alight.store.uploads import Uploads

#: Free space that is not given to new objects, so that what was accepted can be worked off.
RESERVE = 64 << 20

_FILE_THREADS = 16


class ObjectStore:
    """Objects by bucket and key, with their buckets (`Buckets`) and multipart uploads (`Uploads`).

    Reads take a `tx` where the answer must hold inside a job (preconditions); without one they give what is
    committed.
    """

    def __init__(self, database: Database, folder: Path, *, reserve: int = RESERVE) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(_FILE_THREADS, "alight-files")
        self._bodies = Bodies(database, folder, self._threads)
        self._receiver = Receiver(self._bodies.temporary, self._threads, reserve)
        self._buckets = buckets = Buckets(database)
        self._uploads = uploads = Uploads(database, self._bodies)
        # One face for all of it; each of these is documented where it is written.
        self.create_bucket = buckets.create_bucket
        self.get_bucket = buckets.get_bucket
        self.list_buckets = buckets.list_buckets
        self.set_setting = buckets.set_setting
        self.is_empty = buckets.is_empty
        self.create_upload = uploads.create_upload
        self.get_upload = uploads.get_upload
        self.list_uploads = uploads.list_uploads
        self.put_part = uploads.put_part
        self.list_parts = uploads.list_parts
        self.abort = uploads.abort
        self.kept = self._bodies.kept

    async def receive(self, chunks: AsyncIterable[bytes], *, algorithms: tuple[str, ...] = ()) -> Incoming:
        """Take a body, hashed with `algorithms` (names of `checksums.ALGORITHMS`) beside MD5 and crc64nvme.

        What `chunks` raises is raised here, with nothing left behind. Raises `InsufficientStorage`.
        """
        return await self._receiver.receive(chunks, algorithms)

    def put(self, tx: Tx, bucket: str, key: str, incoming: Incoming, info: ObjectInfo, *, etag: str = "") -> ObjectRow:
        """The object under this key from now on; `etag` is the MD5 unless given. The caller checks the bucket."""
        segment = self._bodies.place(tx, incoming)
        return self._insert(tx, bucket, key, (segment,), incoming.crc64nvme, info, etag or incoming.md5_hex)

    def copy(
        self, tx: Tx, source: tuple[str, str], bucket: str, key: str, info: ObjectInfo | None = None
    ) -> ObjectRow | None:
        """Another object of the same bytes, which are not moved. `info` None keeps what the source says.

        None where the source (bucket, key) is not there.
        """
        row = self.get(*source, tx=tx)
        if row is None:
            return None
        self._bodies.share(tx, row.segments)
        return self._insert(tx, bucket, key, row.segments, row.crc64nvme, info or row.info, row.etag)

    def change(self, tx: Tx, bucket: str, key: str, **info: Any) -> ObjectRow | None:
        """Change what is said about an object (fields of `ObjectInfo`: tags, acl ...), not its bytes or times."""
        row = self.get(bucket, key, tx=tx)
        if row is None:
            return None
        changed = replace(row, **info)
        _write(tx, changed)
        return changed

    def delete(self, tx: Tx, bucket: str, key: str) -> ObjectRow | None:
        """Forget an object and return it as it was; None where there is none."""
        rows = tx.all("objects.get", bucket=bucket, key=key)
        tx.run("objects.delete", bucket=bucket, key=key)
        if not rows:
            return None
        row = load_object(rows[0])
        self._bodies.release(tx, row.segments)
        return row

    def complete(
        self,
        tx: Tx,
        upload_id: str,
        numbers: Sequence[int],
        *,
        etag: str,
        checksums: dict[str, str] | None = None,
        checksum_type: str = "",
    ) -> ObjectRow | None:
        """Make an object of the parts `numbers` of an upload; no byte is moved. The other parts go.

        None where the upload or one of the parts is not there.
        """
        taken = self._uploads.take(tx, upload_id, numbers)
        if taken is None:
            return None
        upload, parts, crc64nvme = taken
        info = upload.info
        if checksums is not None:
            info = replace(info, checksums=checksums, checksum_type=checksum_type)
        segments = tuple(segment for part in parts for segment in part.segments)
        listed = tuple(Part(part.number, part.size, part.etag, part.checksums) for part in parts)
        return self._insert(tx, upload.bucket, upload.key, segments, crc64nvme, info, etag, listed)

    def get(self, bucket: str, key: str, tx: Tx | None = None) -> ObjectRow | None:
        """Raises `Damaged`."""
        row = (tx or self._database.read()).one("objects.get", bucket=bucket, key=key)
        return None if row is None else load_object(row)

    def open_body(self, row: ObjectRow, start: int = 0, end: int | None = None) -> Body:
        """The bytes from `start` up to, not including, `end`. Call it in one step with `get` (no await between);
        from then on the bytes are kept for this reader, even where the object is overwritten.

        Iterating raises `Damaged` before the last chunk of what does not match its checksum.
        """
        return self._bodies.open(row.segments, start, row.size if end is None else end)

    def list(self, bucket: str, prefix: str = "", after: str = "", limit: int = 1000) -> list[ObjectRow]:
        """Up to `limit` objects in the byte order of keys: those behind `after` that start with `prefix`."""
        return list_objects(self._database.read(), bucket, prefix, after, limit)

    def list_page(
        self, bucket: str, prefix: str = "", delimiter: str = "", start_after: str = "", limit: int = 1000
    ) -> Page:
        """Up to `limit` objects and common prefixes; `next` of the page is the `start_after` of the next one.

        A `start_after` that is itself a common prefix leaves out all keys that it stands for.
        """
        return list_page(self._database.read(), bucket, prefix, delimiter, start_after, limit)

    def delete_bucket(self, tx: Tx, name: str) -> bool:
        """Forget a bucket and its unfinished uploads. False where it is not there or not empty (`is_empty`)."""
        if not self._buckets.is_empty(tx, name):
            return False
        self._uploads.abort_all(tx, name)
        self._buckets.delete(tx, name)
        return tx.changes > 0

    def next_sequencer(self, tx: Tx) -> str:
        """16 hex digits, greater than all before: for what changes a key without leaving a row (a deletion)."""
        row = tx.one("counters.next", name=SEQUENCER)
        assert row is not None, "the counter is made when the database is opened"
        return f"{row['value']:016X}"

    async def sweep(self) -> int:
        """Remove what crashes have left; run it in the background after the start. Returns how many files."""
        return await self._bodies.sweep()

    def close(self) -> None:
        """End the threads; before the database is closed."""
        self._threads.shutdown()

    def _insert(
        self,
        tx: Tx,
        bucket: str,
        key: str,
        segments: tuple[Segment, ...],
        crc64nvme: str,
        info: ObjectInfo,
        etag: str,
        parts: tuple[Part, ...] = (),
    ) -> ObjectRow:
        # A damaged row may be overwritten: that is how one gets rid of it.
        replaced = tx.all("objects.get", bucket=bucket, key=key)
        row = ObjectRow(
            **{name: getattr(info, name) for name in INFO_FIELDS},
            bucket=bucket,
            key=key,
            version_id=new_version_id(),
            size=sum(segment.size for segment in segments),
            etag=etag,
            last_modified=self._database.clock.now(),
            sequencer=self.next_sequencer(tx),
            crc64nvme=crc64nvme,
            segments=segments,
            parts=parts,
        )
        _write(tx, row)
        for old in replaced:
            self._bodies.release(tx, load_object(old).segments)
        return row


def _write(tx: Tx, row: ObjectRow) -> None:
    tx.run(
        "objects.put",
        bucket=row.bucket,
        key=row.key,
        version_id=row.version_id,
        size=row.size,
        etag=row.etag,
        last_modified=row.last_modified,
        sequencer=row.sequencer,
        crc64nvme=row.crc64nvme,
        segments=dump_segments(row.segments),
        info=dump_info(row),
        parts=dump_parts(row.parts),
    )
