"""Versions: nothing that a bucket keeps is lost, and nothing else is left, whatever the order of changes."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.store import ground, migrations
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectInfo, ObjectRow
from alight.store.verify import verify
from alight.store.versions import SETTING
from tests.unit.store.conftest import Put, chunked, files, read

BIG = 300_000


class Keeping:
    """The bucket, with its versions."""

    def __init__(self, store: ObjectStore, database: Database) -> None:
        self.store, self.database = store, database

    async def status(self, status: str) -> None:
        await self.database.write(lambda tx: self.store.set_setting(tx, "bucket", SETTING, status))

    async def delete(self, key: str, version: str = "") -> ObjectRow | None:
        if version:
            return await self.database.write(lambda tx: self.store.delete_version(tx, "bucket", key, version))
        return await self.database.write(lambda tx: self.store.delete(tx, "bucket", key))

    def all(self, limit: int = 1000, delimiter: str = "") -> list[tuple[str, str, bool, bool]]:
        """(key, id, marker, latest) of every version, read page by page."""
        found, after = [], ("", "")
        while True:
            page = self.store.list_versions("bucket", "", delimiter, after, limit)
            found += [(one.row.key, one.row.visible, one.row.marker, one.latest) for one in page.versions]
            found += [(prefix, "", False, False) for prefix in page.common_prefixes]
            if page.next is None:
                return found
            after = page.next


@pytest.fixture
async def keeping(store: ObjectStore, database: Database) -> Keeping:
    return Keeping(store, database)


async def test_versions_are_kept_marked_and_restored(keeping: Keeping, put: Put) -> None:
    first = await put("k", b"null version")
    await keeping.status("Enabled")
    second, third = await put("k", b"2" * BIG), await put("k", b"3" * BIG)
    assert (first.visible, second.visible) == ("null", second.version_id)
    marker = await keeping.delete("k")
    assert marker is not None
    assert marker.marker
    assert keeping.store.get("bucket", "k") is None
    assert keeping.store.newest_version("bucket", "k") == marker
    expected = [("k", marker.visible, True, True)]
    expected += [("k", row.visible, False, False) for row in (third, second, first)]
    assert keeping.all() == keeping.all(limit=1) == expected
    assert await read(keeping.store, keeping.store.get("bucket", "k", version="null")) == b"null version"
    assert await read(keeping.store, keeping.store.get("bucket", "k", version=second.visible)) == b"2" * BIG
    # Without the marker the one before is the current one again.
    assert await keeping.delete("k", marker.visible) == marker
    assert keeping.store.get("bucket", "k") == third
    await keeping.delete("k", third.visible)
    assert keeping.store.get("bucket", "k") == second
    assert await keeping.delete("k", third.visible) is None
    assert verify(keeping.database.folder) == []


async def test_suspended_buckets_replace_the_null_version_alone(keeping: Keeping, put: Put) -> None:
    await keeping.status("Enabled")
    kept = await put("k", b"1" * BIG)
    await keeping.status("Suspended")
    await put("k", b"2" * BIG)
    null = await put("k", b"3" * BIG)
    assert keeping.all() == [("k", "null", False, True), ("k", kept.visible, False, False)]
    assert await read(keeping.store, null) == b"3" * BIG
    marker = await keeping.delete("k")
    assert marker is not None
    assert keeping.all() == [("k", "null", True, True), ("k", kept.visible, False, False)]
    await put("k", b"4")
    assert keeping.all() == [("k", "null", False, True), ("k", kept.visible, False, False)]
    assert verify(keeping.database.folder) == []


async def test_what_is_said_of_an_older_version_can_be_changed_and_it_can_be_copied(keeping: Keeping, put: Put) -> None:
    await keeping.status("Enabled")
    old, _ = await put("k", b"old" * BIG), await put("k", b"new")
    store, database = keeping.store, keeping.database
    await database.write(lambda tx: store.change(tx, "bucket", "k", old.visible, tags={"a": "b"}))
    changed = store.get("bucket", "k", version=old.visible)
    assert changed is not None
    assert changed.tags == {"a": "b"}
    assert store.get("bucket", "k") != changed
    restored = await database.write(
        lambda tx: store.copy(tx, ("bucket", "k"), "bucket", "k", ObjectInfo(), version=old.visible)
    )
    assert store.get("bucket", "k") == restored
    assert await read(store, restored) == b"old" * BIG
    await keeping.delete("k", old.visible)
    assert await read(store, store.get("bucket", "k")) == b"old" * BIG
    assert verify(database.folder) == []


async def test_pages_jump_over_common_prefixes_and_go_on_behind_what_went(keeping: Keeping, put: Put) -> None:
    await keeping.status("Enabled")
    for key in ("a/1", "a/2", "a/2", "b", "b", "c"):
        await put(key, b"x")
    keys = [(key, latest) for key, _, _, latest in keeping.all(limit=2, delimiter="/")]
    assert sorted(keys, key=lambda one: one[0]) == [("a/", False), ("b", True), ("b", False), ("c", True)]
    found, after = [], ("", "")
    while True:
        page = keeping.store.list_versions("bucket", "", "", after, 2)
        for one in page.versions:
            found.append(one.row.key)
            await keeping.delete(one.row.key, one.row.visible)
        if page.next is None:
            break
        after = page.next
    assert found == ["a/1", "a/2", "a/2", "b", "b", "c"]
    assert keeping.all() == []


async def test_a_bucket_with_versions_is_not_empty(keeping: Keeping, put: Put) -> None:
    await keeping.status("Enabled")
    row = await put("k", b"x")
    marker = await keeping.delete("k")
    assert marker is not None
    for version in (row, marker):
        assert not await keeping.database.write(lambda tx: keeping.store.delete_bucket(tx, "bucket"))
        await keeping.delete("k", version.visible)
    assert await keeping.database.write(lambda tx: keeping.store.delete_bucket(tx, "bucket"))


@pytest.mark.parametrize("seed", range(3))
async def test_random_changes_agree_with_a_model(keeping: Keeping, put: Put, seed: int) -> None:
    chance, status = random.Random(seed), ""
    model: list[tuple[str, bytes | None]] = []  # newest first; None: a marker
    for turn in range(120):
        roll = chance.random()
        if roll < 0.1:
            status = chance.choice(["Enabled", "Suspended"])
            await keeping.status(status)
        elif roll < 0.35 and model:
            version = chance.choice(model)[0]
            await keeping.delete("k", version)
            model = [one for one in model if one[0] != version]
        else:
            data = None if roll < 0.55 else str(turn).encode() * chance.choice([1, BIG])
            if status != "Enabled":
                model = [one for one in model if one[0] != "null"]
            row = await (keeping.delete("k") if data is None else put("k", data))
            if status or data is not None:
                assert row is not None
                model.insert(0, (row.visible, data))
        current = keeping.store.get("bucket", "k")
        newest = model[0][1] if model else None
        assert (await read(keeping.store, current) if current else None) == newest
        assert [(one[1], one[2]) for one in keeping.all(limit=3)] == [(name, data is None) for name, data in model]
    for name, data in model:
        if data is not None:
            assert await read(keeping.store, keeping.store.get("bucket", "k", version=name)) == data
    assert verify(keeping.database.folder) == []
    large = [data for _, data in model if data is not None and len(data) >= BIG]
    await keeping.store.sweep()
    assert len(files(keeping.database)) == len(large)


async def test_a_folder_of_an_earlier_version_gets_versions(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tmp_path / "migrations"
    before.mkdir()
    (before / "0001_first.sql").write_text((migrations.MIGRATIONS / "0001_first.sql").read_text())
    folder = tmp_path / "data"
    with monkeypatch.context() as earlier:
        earlier.setattr(ground, "MIGRATIONS", before)
        database = await Database.open(folder, clock)
        store = ObjectStore(database, folder)
        await database.write(lambda tx: store.create_bucket(tx, "bucket"))
        kept = await _put(database, store, b"before")
        store.close()
        await database.close()
    database = await Database.open(folder, clock)
    store = ObjectStore(database, folder)
    keeping = Keeping(store, database)
    assert store.get("bucket", "k") == kept
    await keeping.status("Enabled")
    new = await _put(database, store, b"after")
    assert keeping.all() == [("k", new.visible, False, True), ("k", "null", False, False)]
    assert await read(store, store.get("bucket", "k", version="null")) == b"before"
    assert verify(folder) == []
    store.close()
    await database.close()


async def _put(database: Database, store: ObjectStore, data: bytes) -> ObjectRow:
    incoming = await store.receive(chunked(data))
    return await database.write(partial(store.put, bucket="bucket", key="k", incoming=incoming, info=ObjectInfo()))
