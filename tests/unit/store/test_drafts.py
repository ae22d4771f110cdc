"""What jobs read twice is kept for them, and never says other than the table: also where a job is taken back."""

from __future__ import annotations

import pytest

from alight.store.buckets import Buckets
from alight.store.connections import row_crc
from alight.store.database import Database, Tx
from alight.store.records import Records


class Refused(Exception):
    """Takes a job back."""


async def test_a_definition_is_the_same_object_to_jobs_until_it_changes(database: Database) -> None:
    records = Records(database)
    await records.save("kind", "name", {"n": 1})
    first, again = [await database.write(lambda tx: records.revision("kind", "name", tx)) for _ in range(2)]
    assert first is again is not None
    await records.save("kind", "name", {"n": 2})
    changed = await database.write(lambda tx: records.get("kind", "name", tx))
    assert changed is not None
    assert changed.body == {"n": 2}
    await records.remove("kind", "name")
    assert await database.write(lambda tx: records.revision("kind", "name", tx)) is None


async def test_what_a_job_changed_and_took_back_is_not_remembered(database: Database) -> None:
    records, buckets = Records(database), Buckets(database)
    await records.save("kind", "name", {"n": 1})
    await database.write(lambda tx: buckets.create_bucket(tx, "bucket", {"n": 1}))

    def seen(tx: Tx) -> list[object]:
        record, bucket = records.get("kind", "name", tx), buckets.get_bucket("bucket", tx)
        return [record.body if record else None, bucket.settings if bucket else None]

    def refused(tx: Tx) -> None:
        records.put(tx, "kind", "name", {"n": 2})
        buckets.set_setting(tx, "bucket", "n", 2)
        assert seen(tx) == [{"n": 2}, {"n": 2}]
        raise Refused

    with pytest.raises(Refused):
        await database.write(refused)
    assert await database.write(seen) == [{"n": 1}, {"n": 1}]

    def gone(tx: Tx) -> None:
        records.delete(tx, "kind", "name")
        buckets.delete(tx, "bucket")
        assert seen(tx) == [None, None]
        raise Refused

    with pytest.raises(Refused):
        await database.write(gone)
    assert await database.write(seen) == [{"n": 1}, {"n": 1}]


async def test_a_bucket_that_was_not_there_is_seen_once_it_is(database: Database) -> None:
    buckets = Buckets(database)
    assert await database.write(lambda tx: buckets.get_bucket("bucket", tx)) is None
    await database.write(lambda tx: buckets.create_bucket(tx, "bucket"))
    assert await database.write(lambda tx: buckets.get_bucket("bucket", tx)) is not None
    await database.write(lambda tx: buckets.set_setting(tx, "bucket", "tags", {"a": "b"}))
    found = await database.write(lambda tx: buckets.get_bucket("bucket", tx))
    assert found is not None
    assert found.settings == {"tags": {"a": "b"}}


def test_checksums_of_rows_are_what_earlier_versions_wrote() -> None:
    """Folders hold them: a row that no longer fits its checksum is taken for damaged."""
    assert row_crc("a", "ü\n'", 5, None, 1.5) == row_crc("a", "ü\n'", 5.0, None, 1.5) == 784259936
    assert row_crc("a", b"b\0", 7.0, "\ud800") == row_crc("a", b"b\0", 7, "\ud800") == 3195064012
    assert row_crc() == 0
