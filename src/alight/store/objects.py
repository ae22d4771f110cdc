"""The object store: rows of `objects` and the bytes that they refer to. No AWS shapes; S3's rules are the service's.

A PUT is two steps. `receive` takes the bytes and flushes them; `put`, inside a write job, puts them in place and
says so in a row. Whatever must become true with it, the events of the object above all, joins the same job.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from alight.store.room import Room
from alight.store.shapes import (
    ObjectInfo,
    ObjectRow,
    Page,
    Part,
    Segment,
    load_object,
)
from alight.store.uploads import Uploads
from alight.store.versions import ENABLED, SEQUENCER_DIGITS, SETTING, Versions, columns

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
        room = Room(self._bodies.temporary, reserve, database.clock.monotonic)
        self._receiver = Receiver(self._bodies.temporary, self._threads, self._bodies.packs, room, database.give_up)
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
        self._versions = Versions(database, self._bodies)
        self.newest_version = self._versions.newest
        self.list_versions = self._versions.list
        self.kept = self._bodies.kept
        self.read_at_once = self._bodies.read_at_once
        self.receive = self._receiver.receive
        self.take = self._receiver.take

    def put(self, tx: Tx, bucket: str, key: str, incoming: Incoming, info: ObjectInfo, *, etag: str = "") -> ObjectRow:
        """The object under this key from now on; `etag` is the MD5 unless given. The caller checks the bucket."""
        segment = self._bodies.place(tx, incoming)
        return self._insert(tx, bucket, key, (segment,), incoming.crc64nvme, info, etag or incoming.md5_hex)

    def copy(
        self, tx: Tx, source: tuple[str, str], bucket: str, key: str, info: ObjectInfo | None = None, version: str = ""
    ) -> ObjectRow | None:
        """Another object of the same bytes, which are not moved. `info` None keeps what the source says.

        None where the source (bucket, key, and `version` where one is named) is not there.
        """
        row = self.get(*source, tx=tx, version=version)
        if row is None or row.marker:
            return None
        self._bodies.share(tx, row.segments)
        return self._insert(tx, bucket, key, row.segments, row.crc64nvme, info or row.info, row.etag)

    def change(self, tx: Tx, bucket: str, key: str, version: str = "", **info: Any) -> ObjectRow | None:
        """Change what is said about an object (fields of `ObjectInfo`: tags, acl ...), not its bytes or times."""
        current = self.get(bucket, key, tx=tx)
        if current is not None and version in ("", current.visible):
            changed = replace(current, **info)
            tx.run("objects.put", **columns(changed))
            return changed
        row = self._versions.get(bucket, key, version, tx) if version else None
        if row is None:
            return None
        changed = replace(row, **info)
        self._versions.keep(tx, changed)
        return changed

    def delete(self, tx: Tx, bucket: str, key: str) -> ObjectRow | None:
        """Forget an object and return it as it was; None where there is none.

        A bucket that has (or had) versions gets a delete marker instead, which is returned.
        """
        current = [load_object(row) for row in tx.all("objects.get", bucket=bucket, key=key)]
        tx.run("objects.delete", bucket=bucket, key=key)
        status = self._status(tx, bucket)
        self._versions.make_room(tx, status, bucket, key, current)
        if not status:
            return current[0] if current else None
        marker = self._row(tx, status, bucket, key, (), "", ObjectInfo(), "", marker=True)
        self._versions.keep(tx, marker)
        return marker

    def delete_version(self, tx: Tx, bucket: str, key: str, version: str) -> ObjectRow | None:
        """Forget one version for good and return it as it was; None where there is none.

        Where it was the newest, the one before becomes the current one, unless that is a delete marker.
        """
        current = self.get(bucket, key, tx=tx)
        if current is not None and current.visible == version:
            tx.run("objects.delete", bucket=bucket, key=key)
            gone: ObjectRow | None = current
        else:
            gone = self._versions.take(tx, bucket, key, version)
        if gone is None:
            return None
        self._bodies.release(tx, gone.segments)
        newest = self._versions.newest(bucket, key, tx)
        if newest is not None and not newest.marker and (current is None or gone is current):
            self._versions.take(tx, bucket, key, newest.visible)
            tx.run("objects.put", **columns(newest))
        return gone

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

    def get(self, bucket: str, key: str, tx: Tx | None = None, version: str = "") -> ObjectRow | None:
        """The current object, or the version with that id (which may be a marker). Raises `Damaged`."""
        row = (tx or self._database.read()).one("objects.get", bucket=bucket, key=key)
        current = None if row is None else load_object(row)
        if not version or (current is not None and current.visible == version):
            return current
        return self._versions.get(bucket, key, version, tx)

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
        self._bodies.close()

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
        replaced = [load_object(row) for row in tx.all("objects.get", bucket=bucket, key=key)]
        status = self._status(tx, bucket)
        row = self._row(tx, status, bucket, key, segments, crc64nvme, info, etag, parts)
        tx.run("objects.put", **columns(row))
        self._versions.make_room(tx, status, bucket, key, replaced)
        return row

    def _status(self, tx: Tx, bucket: str) -> str:
        """What the bucket says of versions: nothing where it never had any."""
        home = self._buckets.get_bucket(bucket, tx)
        return str(home.settings.get(SETTING, "")) if home else ""

    def _row(
        self,
        tx: Tx,
        status: str,
        bucket: str,
        key: str,
        segments: tuple[Segment, ...],
        crc64nvme: str,
        info: ObjectInfo,
        etag: str,
        parts: tuple[Part, ...] = (),
        *,
        marker: bool = False,
    ) -> ObjectRow:
        sequencer, versioned = self.next_sequencer(tx), status == ENABLED
        # The id of a version tells its place, so that a listing can go on behind one that is gone.
        name = new_version_id()
        return ObjectRow(
            content_type=info.content_type,
            headers=info.headers,
            metadata=info.metadata,
            checksums=info.checksums,
            checksum_type=info.checksum_type,
            storage=info.storage,
            owner=info.owner,
            acl=info.acl,
            tags=info.tags,
            bucket=bucket,
            key=key,
            version_id=sequencer + name[SEQUENCER_DIGITS:] if versioned else name,
            size=sum(segment.size for segment in segments),
            etag=etag,
            last_modified=self._database.clock.now(),
            sequencer=sequencer,
            crc64nvme=crc64nvme,
            segments=segments,
            parts=parts,
            versioned=versioned,
            marker=marker,
        )
