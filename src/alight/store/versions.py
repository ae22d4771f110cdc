"""Versions of objects that are not the current one, and delete markers: rows of `versions`, beside `objects`.

The current version of a key is its row of `objects`, so that reading and listing what is there costs nothing more in a
bucket with versions. Where the newest version is a delete marker, the key has no such row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alight.store.bodies import Bodies
from alight.store.database import Database, Tx
from alight.store.shapes import NULL, ObjectRow, dump_object, dump_parts, dump_segments, load_object
from alight.store.version_listing import FIRST, VersionPage, list_versions

#: The setting of a bucket, and what it says; nothing where the bucket never had versions.
SETTING = "versioning"
ENABLED, SUSPENDED = "Enabled", "Suspended"

#: The letters of a version's id that tell its place in the one order of all changes.
SEQUENCER_DIGITS = 16


class Versions:
    """Kept, found, given up. Reads take a `tx` where the answer must hold inside a job."""

    def __init__(self, database: Database, bodies: Bodies) -> None:
        self._database = database
        self._bodies = bodies

    def get(self, bucket: str, key: str, visible: str, tx: Tx | None = None) -> ObjectRow | None:
        """A version by the id that S3 shows. Raises `Damaged`."""
        row = (tx or self._database.read()).one("versions.get", bucket=bucket, key=key, visible=visible)
        return None if row is None else load_object(row)

    def newest(self, bucket: str, key: str, tx: Tx | None = None) -> ObjectRow | None:
        """The newest that is not the current one, be it a marker or an object."""
        row = (tx or self._database.read()).one("versions.newest", bucket=bucket, key=key)
        return None if row is None else load_object(row)

    def list(self, bucket: str, prefix: str, delimiter: str, after: tuple[str, str], limit: int) -> VersionPage:
        """Up to `limit` versions, markers and common prefixes behind `after` (key, and a version's id or nothing)."""
        key, version = after
        sequencer = self._sequencer_of(bucket, key, version) if version else ""
        return list_versions(self._database.read(), bucket, prefix, delimiter, key, sequencer, limit)

    def _sequencer_of(self, bucket: str, key: str, version: str) -> str:
        """Where a version stands among those of its key, be it still there or not."""
        if version != NULL:
            return version[:SEQUENCER_DIGITS]
        current = self._database.read().one("objects.get", bucket=bucket, key=key)
        row = load_object(current) if current is not None else None
        if row is None or row.versioned:
            row = self.get(bucket, key, NULL)
        # A null version that went meanwhile has left no trace: the key's versions are shown once more.
        return row.sequencer if row else FIRST

    def keep(self, tx: Tx, row: ObjectRow) -> None:
        """Remember a version; its bytes stay referred to."""
        tx.run("versions.put", visible=row.visible, **columns(row))

    def take(self, tx: Tx, bucket: str, key: str, visible: str) -> ObjectRow | None:
        """Forget a version and return it as it was; its bytes are the caller's care."""
        row = self.get(bucket, key, visible, tx)
        if row is not None:
            tx.run("versions.delete", bucket=bucket, key=key, visible=visible)
        return row

    def make_room(self, tx: Tx, status: str, bucket: str, key: str, current: Sequence[ObjectRow]) -> None:
        """Before a newer version of `key`: keep what the bucket's `status` keeps of `current`, and release the rest.

        With versions suspended, what is new is the `null` version and takes the place of an older one.
        """
        for row in current:
            if status == ENABLED or (status == SUSPENDED and row.versioned):
                self.keep(tx, row)
            else:
                self._bodies.release(tx, row.segments)
        if status == SUSPENDED and (old := self.take(tx, bucket, key, NULL)) is not None:
            self._bodies.release(tx, old.segments)


def columns(row: ObjectRow) -> dict[str, Any]:
    """What `objects` and `versions` both keep of an object."""
    return {
        "bucket": row.bucket,
        "key": row.key,
        "version_id": row.version_id,
        "size": row.size,
        "etag": row.etag,
        "last_modified": row.last_modified,
        "sequencer": row.sequencer,
        "crc64nvme": row.crc64nvme,
        "segments": dump_segments(row.segments),
        "info": dump_object(row),
        "parts": dump_parts(row.parts),
    }
