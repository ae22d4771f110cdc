"""Multipart uploads: parts become an object without moving a byte; what is not used goes."""

from __future__ import annotations

import os
from functools import partial

import pytest

from alight.clock import ManualClock
from alight.errors.store import Damaged
from alight.store.checksums import checksum
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectInfo, Part, Upload, UploadedPart
from alight.store.verify import verify
from tests.unit.store.conftest import Put, chunked, files, read
from tests.unit.store.test_database import damage_row
from tests.unit.store.test_objects import flip, until


@pytest.fixture
async def upload(store: ObjectStore, database: Database) -> Upload:
    info = ObjectInfo(content_type="video/mp4", storage={"ChecksumAlgorithm": "CRC32"})
    return await database.write(lambda tx: store.create_upload(tx, "bucket", "film", info))


async def add(store: ObjectStore, database: Database, upload_id: str, number: int, data: bytes) -> UploadedPart | None:
    incoming = await store.receive(chunked(data))
    put = partial(store.put_part, upload_id=upload_id, number=number, incoming=incoming, checksums={"crc32": "x"})
    part = await database.write(put)
    if part is None:
        incoming.discard()
    return part


async def test_parts_become_an_object(store: ObjectStore, database: Database, upload: Upload) -> None:
    first, second, third = os.urandom(300_000), os.urandom(270_000), os.urandom(10)
    for number, data in [(7, third), (2, b"old"), (1, first), (2, second), (5, os.urandom(300_000))]:
        assert await add(store, database, upload.id, number, data) is not None
    assert [part.number for part in store.list_parts(upload.id)] == [1, 2, 5, 7]
    assert [part.size for part in store.list_parts(upload.id, after=1, limit=2)] == [270_000, 300_000]

    row = await database.write(lambda tx: store.complete(tx, upload.id, [1, 2, 7], etag="abc-3"))
    assert row is not None
    assert (row.etag, row.size, row.content_type) == ("abc-3", 570_010, "video/mp4")
    assert row == store.get("bucket", "film")
    assert row.parts[1] == Part(2, 270_000, row.parts[1].etag, {"crc32": "x"})
    whole = first + second + third
    assert row.crc64nvme == checksum("crc64nvme", whole)
    assert await read(store, row) == whole
    for start, end in [(0, 5), (299_990, 300_010), (299_999, 570_001), (570_000, 570_010), (100, 569_999)]:
        assert await read(store, row, start, end) == whole[start:end]
    assert store.get_upload(upload.id) is None
    assert store.list_parts(upload.id) == []
    await until(lambda: len(files(database)) == 2)
    assert verify(database.folder) == []

    await database.write(lambda tx: store.delete(tx, "bucket", "film"))
    await until(lambda: files(database) == [])
    assert verify(database.folder) == []


async def test_an_upload_that_misses_a_part_stays(store: ObjectStore, database: Database, upload: Upload) -> None:
    await add(store, database, upload.id, 1, b"x")
    assert await database.write(lambda tx: store.complete(tx, upload.id, [1, 2], etag="x")) is None
    assert await database.write(lambda tx: store.complete(tx, "unknown", [1], etag="x")) is None
    assert store.get_upload(upload.id) == upload
    assert [part.number for part in store.list_parts(upload.id)] == [1]


async def test_giving_up_removes_the_parts(store: ObjectStore, database: Database, upload: Upload) -> None:
    await add(store, database, upload.id, 1, os.urandom(300_000))
    assert await database.write(lambda tx: store.abort(tx, upload.id))
    assert not await database.write(lambda tx: store.abort(tx, upload.id))
    assert await add(store, database, upload.id, 2, os.urandom(300_000)) is None
    await until(lambda: files(database) == [])
    assert list((database.folder / "tmp").iterdir()) == []
    assert verify(database.folder) == []


async def test_a_removed_bucket_takes_its_uploads_along(store: ObjectStore, database: Database, upload: Upload) -> None:
    await add(store, database, upload.id, 1, os.urandom(300_000))
    assert await database.write(lambda tx: store.delete_bucket(tx, "bucket"))
    assert store.get_upload(upload.id) is None
    await until(lambda: files(database) == [])


async def test_uploads_are_listed_by_key_then_age(store: ObjectStore, database: Database, clock: ManualClock) -> None:
    made = []
    for key in ("b", "a/2", "a/1", "a/1", "a/1"):
        made.append(await database.write(partial(store.create_upload, bucket="bucket", key=key, info=ObjectInfo())))
        clock.advance(1)
    listed = store.list_uploads("bucket")
    assert listed == [made[2], made[3], made[4], made[1], made[0]]
    assert store.list_uploads("bucket", limit=2) == listed[:2]
    assert store.list_uploads("bucket", after_key="a/1", after_id=listed[1].id) == listed[2:]
    assert store.list_uploads("bucket", after_key="a/1") == listed[3:]
    assert store.list_uploads("bucket", prefix="a/", after_key="a/1") == listed[3:4]
    assert store.list_uploads("other") == []


async def test_a_flipped_bit_in_a_part_is_found(store: ObjectStore, database: Database, upload: Upload) -> None:
    for number in (1, 2):
        await add(store, database, upload.id, number, os.urandom(400_000))
    row = await database.write(lambda tx: store.complete(tx, upload.id, [1, 2], etag="x"))
    assert row is not None
    flip(database, row.segments[1].body, 5)
    assert len(await read(store, row, 0, 400_000)) == 400_000
    with pytest.raises(Damaged, match=row.segments[1].body):
        await read(store, row)


async def test_a_damaged_part_is_not_used(store: ObjectStore, database: Database, upload: Upload) -> None:
    await add(store, database, upload.id, 1, b"x")
    damage_row(database.folder, "UPDATE parts SET size = 9")
    assert await database.write(lambda tx: store.complete(tx, upload.id, [1], etag="x")) is None


async def test_copying_a_multipart_object(store: ObjectStore, put: Put, database: Database, upload: Upload) -> None:
    await add(store, database, upload.id, 1, os.urandom(300_000))
    row = await database.write(lambda tx: store.complete(tx, upload.id, [1], etag="x"))
    copy = await database.write(lambda tx: store.copy(tx, ("bucket", "film"), "bucket", "copy"))
    await put("film", b"now short")
    assert row is not None
    assert copy is not None
    assert len(await read(store, copy)) == row.size
    assert verify(database.folder) == []
