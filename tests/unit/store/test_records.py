"""Definitions: what was saved is read, by one, by prefix, by page; memory never says other than the disk."""

from __future__ import annotations

import pytest

from alight.clock import ManualClock
from alight.store.database import Database, Tx
from alight.store.records import Record, Records


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)


async def test_saved_read_changed_removed(records: Records, clock: ManualClock) -> None:
    start = clock.now()
    assert records.get("lambda:function", "f") is None
    await records.save("lambda:function", "f", {"Timeout": 3, "Environment": {"A": "ü"}})
    clock.advance(10)
    changed = await records.save("lambda:function", "f", {"Timeout": 4.5})
    assert changed == Record("lambda:function", "f", {"Timeout": 4.5}, start, start + 10)
    assert records.get("lambda:function", "f") == changed
    assert records.get("lambda:alias", "f") is None
    assert await records.remove("lambda:function", "f")
    assert not await records.remove("lambda:function", "f")
    assert records.get("lambda:function", "f") is None


async def test_a_page_of_names(records: Records, database: Database) -> None:
    def job(tx: Tx) -> None:
        for name in ("a/1", "a/2", "a/3", "b", "ä", "a"):
            records.put(tx, "kind", name, {})
        records.put(tx, "other", "a/9", {})

    await database.write(job)
    assert [record.name for record in records.list("kind")] == ["a", "a/1", "a/2", "a/3", "b", "ä"]
    assert [record.name for record in records.list("kind", prefix="a/")] == ["a/1", "a/2", "a/3"]
    assert [record.name for record in records.list("kind", prefix="a/", after="a/1", limit=1)] == ["a/2"]
    assert [record.name for record in records.list("kind", after="b")] == ["ä"]
    assert records.list("kind", prefix="a/", after="b") == []


async def test_a_job_sees_its_own_changes_and_others_do_not(records: Records, database: Database) -> None:
    await records.save("kind", "name", {"n": 1})
    seen: list[object] = []

    def job(tx: Tx) -> None:
        records.put(tx, "kind", "name", {"n": 2})
        mine = records.get("kind", "name", tx)
        seen.append(mine and mine.body)
        seen.extend(record.body for record in records.list("kind", tx=tx))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(job)
    assert seen == [{"n": 2}, {"n": 2}]
    after = records.get("kind", "name")
    assert after is not None
    assert after.body == {"n": 1}


async def test_a_changed_body_is_not_everybodys(records: Records) -> None:
    await records.save("kind", "name", {"list": []})
    first = records.get("kind", "name")
    assert first is not None
    first.body["list"].append("mine")
    second = records.get("kind", "name")
    assert second is not None
    assert second.body == {"list": []}


async def test_memory_forgets_when_the_disk_changes(records: Records) -> None:
    assert records.get("kind", "name") is None
    await records.save("kind", "name", {"n": 1})
    assert records.get("kind", "name") is not None
    await records.remove("kind", "name")
    assert records.get("kind", "name") is None
