"""Buckets that are kept in memory: what is committed is what is read."""

from __future__ import annotations

import pytest

from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore


async def test_a_change_is_seen_by_whoever_reads_after_it(store: ObjectStore, database: Database) -> None:
    assert store.get_bucket("birds") is None
    await database.write(lambda tx: store.create_bucket(tx, "birds"))
    for value in ({"Rules": 1}, {"Rules": 2}, None):
        found = store.get_bucket("birds")
        assert found is not None
        found.settings["Rules"] = "somebody's own copy"
        await database.write(lambda tx, value=value: store.set_setting(tx, "birds", "Rules", value))  # type: ignore[misc]
        found = store.get_bucket("birds")
        assert found is not None
        assert found.settings.get("Rules") == value
    await database.write(lambda tx: store.delete_bucket(tx, "birds"))
    assert store.get_bucket("birds") is None


async def test_a_change_that_was_taken_back_is_not_seen(store: ObjectStore, database: Database) -> None:
    await database.write(lambda tx: store.create_bucket(tx, "birds", {"Rules": 1}))

    def job(tx: Tx) -> None:
        store.set_setting(tx, "birds", "Rules", 2)
        seen = store.get_bucket("birds", tx)
        assert seen is not None
        assert seen.settings == {"Rules": 2}
        raise KeyError("taken back")

    with pytest.raises(KeyError):
        await database.write(job)
    kept = store.get_bucket("birds")
    assert kept is not None
    assert kept.settings == {"Rules": 1}
