"""Multipart uploads: parts are bodies of their own, and the object that they become refers to them."""

from __future__ import annotations

from collections.abc import Sequence

from alight.names import new_version_id
from alight.store.bodies import Bodies
from alight.store.checksums import checksum, combine
from alight.store.database import Database, Tx
from alight.store.ranges import behind_prefix
from alight.store.receiving import Incoming
from alight.store.shapes import (
    MULTIPART_LIMIT,
    ObjectInfo,
    Upload,
    UploadedPart,
    dump,
    dump_info,
    dump_segments,
    load_part,
    load_upload,
)


class Uploads:
    """Rows of `uploads` and `parts`."""

    def __init__(self, database: Database, bodies: Bodies) -> None:
        self._database = database
        self._bodies = bodies

    def create_upload(self, tx: Tx, bucket: str, key: str, info: ObjectInfo) -> Upload:
        """Begin an upload; `info` is what the object will say."""
        now = self._database.clock.now()
        # The id begins with the time, so that uploads of one key are listed in the order of their beginning.
        upload = Upload(f"{int(now * 1_000_000):014x}{new_version_id()}", bucket, key, now, info)
        tx.run("uploads.add", id=upload.id, bucket=bucket, key=key, initiated=upload.initiated, info=dump_info(info))
        return upload

    def get_upload(self, upload_id: str, tx: Tx | None = None) -> Upload | None:
        """Raises `Damaged`."""
        row = (tx or self._database.read()).one("uploads.get", id=upload_id)
        return None if row is None else load_upload(row)

    def list_uploads(
        self, bucket: str, prefix: str = "", after_key: str = "", after_id: str = "", limit: int = 1000
    ) -> list[Upload]:
        """Uploads by key, then id: those behind (`after_key`, `after_id`) whose keys start with `prefix`.

        `after_id` empty leaves out all uploads of `after_key`.
        """
        rows = self._database.read().all(
            "uploads.list",
            bucket=bucket,
            key=after_key,
            id=after_id or ("g" if after_key else ""),
            start=prefix,
            end=behind_prefix(prefix),
            limit=limit,
        )
        return [load_upload(row) for row in rows]

    def put_part(
        self, tx: Tx, upload_id: str, number: int, incoming: Incoming, checksums: dict[str, str] | None = None
    ) -> UploadedPart | None:
        """A part, in place of an earlier one of its number. None where there is no such upload: discard then."""
        if tx.one("uploads.get", id=upload_id) is None:
            return None
        replaced = tx.all("parts.get", upload_id=upload_id, number=number)
        segment = self._bodies.place(tx, incoming)
        part = UploadedPart(
            upload_id, number, incoming.size, incoming.md5_hex, self._database.clock.now(), checksums or {}, (segment,)
        )
        tx.run(
            "parts.put",
            upload_id=upload_id,
            number=number,
            size=part.size,
            etag=part.etag,
            last_modified=part.last_modified,
            checksums=dump(part.checksums),
            segments=dump_segments(part.segments),
        )
        for old in replaced:
            self._bodies.release(tx, load_part(old).segments)
        return part

    def list_parts(
        self, upload_id: str, after: int = 0, limit: int = MULTIPART_LIMIT, tx: Tx | None = None
    ) -> list[UploadedPart]:
        """Up to `limit` parts behind the number `after`, in order."""
        source = tx or self._database.read()
        return [load_part(row) for row in source.all("parts.list", upload_id=upload_id, after=after, limit=limit)]

    def abort(self, tx: Tx, upload_id: str) -> bool:
        """Give an upload up, with its parts. False where there is none."""
        for part in self.list_parts(upload_id, tx=tx):
            self._bodies.release(tx, part.segments)
        return self._forget(tx, upload_id)

    def abort_all(self, tx: Tx, bucket: str) -> None:
        """Give up all uploads of a bucket."""
        for row in tx.all("uploads.of_bucket", bucket=bucket):
            self.abort(tx, row["id"])

    def take(self, tx: Tx, upload_id: str, numbers: Sequence[int]) -> tuple[Upload, list[UploadedPart], str] | None:
        """End an upload and hand over the parts `numbers` with the crc64nvme of all their bytes.

        None, and nothing changed, where the upload or a part is not there.
        """
        upload = self.get_upload(upload_id, tx)
        known = {part.number: part for part in self.list_parts(upload_id, tx=tx)}
        if upload is None or not known.keys() >= set(numbers):
            return None
        for number in known.keys() - set(numbers):
            self._bodies.release(tx, known[number].segments)
        self._forget(tx, upload_id)
        taken = [known[number] for number in numbers]
        crc = checksum("crc64nvme", b"")
        for part in taken:
            for segment in part.segments:
                crc = combine("crc64nvme", crc, segment.crc64nvme, segment.size)
        return upload, taken, crc

    def _forget(self, tx: Tx, upload_id: str) -> bool:
        tx.run("parts.delete", upload_id=upload_id)
        tx.run("uploads.delete", id=upload_id)
        return tx.changes > 0
