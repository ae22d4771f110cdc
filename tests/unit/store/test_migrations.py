"""Schemas: up once, never down, never over something else."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors import AlightError
from alight.store.database import Database
from alight.store.migrations import MIGRATIONS, TELEMETRY_MIGRATIONS, migrate


def schema(connection: apsw.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()


@pytest.mark.parametrize("folder", [MIGRATIONS, TELEMETRY_MIGRATIONS], ids=["alight", "telemetry"])
def test_migrating_again_changes_nothing(folder: Path) -> None:
    connection = apsw.Connection(":memory:")
    newest = migrate(connection, folder)
    before = schema(connection)
    assert migrate(connection, folder) == newest == connection.pragma("user_version")
    assert schema(connection) == before


def test_steps_are_taken_in_order_and_a_failing_one_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE a (x); INSERT INTO a VALUES (1);")
    connection = apsw.Connection(":memory:")
    assert migrate(connection, tmp_path) == 1
    (tmp_path / "0010_tenth.sql").write_text("CREATE TABLE c AS SELECT * FROM b; SELECT nonsense();")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE b AS SELECT * FROM a;")
    with pytest.raises(apsw.SQLError):
        migrate(connection, tmp_path)
    assert connection.pragma("user_version") == 2
    assert [row[1] for row in schema(connection)] == ["a", "b"]
    (tmp_path / "0010_tenth.sql").write_text("CREATE TABLE c AS SELECT * FROM b;")
    assert migrate(connection, tmp_path) == 10


async def test_a_newer_schema_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    await (await Database.open(tmp_path, clock)).close()
    connection = apsw.Connection(str(tmp_path / "alight.db"))
    connection.pragma("user_version", 9_999)
    connection.close()
    with pytest.raises(AlightError, match=r"schema version 9999.*newer Alight"):
        await Database.open(tmp_path, clock)
    with pytest.raises(AlightError, match="9999"):
        await Database.open(tmp_path, clock)


async def test_a_file_that_is_no_database_is_refused_and_left(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "alight.db"
    path.write_bytes(b"a letter to my aunt" * 500)
    with pytest.raises(AlightError, match="no database of Alight"):
        await Database.open(tmp_path, clock)
    assert path.read_bytes() == b"a letter to my aunt" * 500


@pytest.mark.parametrize("left", ["nothing", "empty"])
async def test_objects_without_their_database_are_not_begun_anew(left: str, tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "bodies").mkdir()
    if left == "empty":
        (tmp_path / "alight.db").touch()
    with pytest.raises(AlightError, match="missing or empty"):
        await Database.open(tmp_path, clock)


async def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AlightError, match="cannot be made"):
        await Database.open(tmp_path / "file" / "data", clock)
