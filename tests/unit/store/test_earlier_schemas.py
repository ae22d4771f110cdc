"""A folder of every earlier schema opens, and holds what it held; one of a later schema is left as it is."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors import AlightError
from alight.store.database import Database
from alight.store.migrations import MIGRATIONS, TELEMETRY_MIGRATIONS, newest_version
from alight.store.objects import ObjectStore
from alight.store.telemetry import Telemetry
from alight.store.verify import verify
from tests.schemas.laying import lay, versions
from tests.schemas.make import LARGE, SMALL, WAITING, states
from tests.unit.store.conftest import read

NEWEST = newest_version(MIGRATIONS), newest_version(TELEMETRY_MIGRATIONS)


def schema(path: Path) -> tuple[int, list[tuple[object, ...]]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found = connection.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        return int(connection.pragma("user_version")), found
    finally:
        connection.close()


def test_there_is_a_database_of_every_version() -> None:
    """Whoever adds a migration makes one: `python -m tests.schemas.make`."""
    assert set(versions("journal")) >= set(range(1, NEWEST[0] + 1))
    assert set(versions("telemetry")) >= set(range(1, NEWEST[1] + 1))


@pytest.mark.parametrize("version", range(1, NEWEST[0] + 1))
async def test_a_journal_of_an_earlier_version_opens(version: int, tmp_path: Path, clock: ManualClock) -> None:
    data = tmp_path / "data"
    lay(data, version, NEWEST[1])
    assert schema(data / "alight.db")[0] == version
    database = await Database.open(data, clock)
    store = ObjectStore(database, data)
    assert await read(store, store.get("kept", "small")) == SMALL
    assert await read(store, store.get("kept", "large")) == LARGE
    store.close()
    await database.close()
    assert verify(data) == []
    found = states(data)
    assert (found.pop("succeeded"), found.pop("dead"), sum(found.values())) == (2, 1, WAITING)
    await (await Database.open(tmp_path / "fresh", clock)).close()
    assert schema(data / "alight.db") == schema(tmp_path / "fresh" / "alight.db")


@pytest.mark.parametrize("version", range(1, NEWEST[1] + 1))
async def test_telemetry_of_an_earlier_version_opens(version: int, tmp_path: Path, clock: ManualClock) -> None:
    data = tmp_path / "data"
    lay(data, NEWEST[0], version)
    telemetry = await Telemetry.open(data, clock)
    lines = telemetry.logs("/aws/lambda/keeps")
    await telemetry.close()
    assert lines
    (tmp_path / "fresh").mkdir()
    await (await Telemetry.open(tmp_path / "fresh", clock)).close()
    assert schema(data / "telemetry.db") == schema(tmp_path / "fresh" / "telemetry.db")


@pytest.mark.parametrize("file", ["alight.db", "telemetry.db"])
async def test_one_of_a_later_version_is_refused_and_left(file: str, tmp_path: Path, clock: ManualClock) -> None:
    data = tmp_path / "data"
    lay(data, *NEWEST)
    connection = apsw.Connection(str(data / file))
    later = int(connection.pragma("user_version")) + 1
    connection.pragma("user_version", later)
    connection.close()
    before = (data / file).read_bytes()
    with pytest.raises(AlightError, match=rf"schema version {later}.*newer Alight"):
        await (Database if file == "alight.db" else Telemetry).open(data, clock)
    assert (data / file).read_bytes() == before
