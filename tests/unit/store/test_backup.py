"""A backup is of one moment, complete and readable, or it is not there."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors import AlightError
from alight.store import backup as backups
from alight.store import offline
from alight.store.backup import RECORD, Backup, back_up, last_backup, restore
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.verify import verify
from tests.unit.store.conftest import Put, files, read

LARGE = bytes(range(256)) * 2048


def taken(database: Database, target: Path) -> Backup:
    return back_up(database.folder, target, version="1", created=5.0)


@pytest.fixture
async def filled(put: Put) -> None:
    await put("small", b"few bytes")
    await put("large", LARGE)


async def test_what_is_restored_is_what_was_there(
    database: Database, store: ObjectStore, put: Put, filled: None, tmp_path: Path, clock: ManualClock
) -> None:
    (database.folder / "functions" / "code").mkdir(parents=True)
    (database.folder / "functions" / "code" / "handler.py").write_text("x = 1\n")
    for name in ("bodies", "packs", "lock"):
        (database.folder / "functions" / "code" / name).mkdir()
        (database.folder / "functions" / "code" / name / "own.py").write_text("x = 2\n")
    (database.folder / "credentials.json").write_text("{}")
    (database.folder / "credentials.json").chmod(0o600)
    made = taken(database, tmp_path / "copy")
    await put("later", b"not in it")
    assert (made.bodies, made.damage) == (1, ())
    restored = restore(tmp_path / "copy", tmp_path / "again")
    assert restored == made
    again = await Database.open(tmp_path / "again", clock)
    other = ObjectStore(again, again.folder)
    assert [row.key for row in other.list("bucket")] == ["large", "small"]
    assert await read(other, other.get("bucket", "large")) == LARGE
    assert await read(other, other.get("bucket", "small")) == b"few bytes"
    assert (again.folder / "functions" / "code" / "handler.py").read_text() == "x = 1\n"
    for name in ("bodies", "packs", "lock"):
        assert (again.folder / "functions" / "code" / name / "own.py").read_text() == "x = 2\n"
    assert (again.folder / "credentials.json").stat().st_mode & 0o777 == 0o600
    other.close()
    await again.close()


async def test_what_is_compiled_of_code_just_now_stays_behind(database: Database, filled: None, tmp_path: Path) -> None:
    """Its files come and go while they are written; those of a venv were installed, and are not made again."""
    for place in ("code/abc/lib", "opt/abc/python", "venvs/abc/lib"):
        cache = database.folder / "functions" / place / "__pycache__"
        cache.mkdir(parents=True)
        (cache / "app.cpython-311.pyc").write_bytes(b"compiled")
        (cache.parent / "app.py").write_text("x = 1\n")
    taken(database, tmp_path / "copy")
    kept = sorted(path.relative_to(tmp_path / "copy" / "functions") for path in (tmp_path / "copy").rglob("app.*"))
    assert list(map(str, kept)) == [
        "code/abc/lib/app.py",
        "opt/abc/python/app.py",
        "venvs/abc/lib/__pycache__/app.cpython-311.pyc",
        "venvs/abc/lib/app.py",
    ]


async def test_a_body_that_goes_while_the_copy_is_made_is_in_it(
    database: Database, store: ObjectStore, filled: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = backups._copy_database

    def copied(source: Path, target: Path) -> None:
        whole(source, target)
        if source.name == "alight.db":
            # As if it were deleted by a request at this moment.
            store._bodies._remove([files(database)[0].name])

    monkeypatch.setattr(backups, "_copy_database", copied)
    with store.kept():
        made = taken(database, tmp_path / "copy")
        assert len(files(database)) == 1
    assert (made.bodies, made.damage) == (1, ())
    assert files(database) == []


async def test_a_reader_outlasts_a_backup(database: Database, store: ObjectStore, filled: None) -> None:
    row = store.get("bucket", "large")
    assert row is not None
    body = store.open_body(row)
    with store.kept():
        await database.write(lambda tx: store.delete(tx, "bucket", "large"))
    assert b"".join([chunk async for chunk in body]) == LARGE


async def test_damage_is_named_and_not_restored(database: Database, filled: None, tmp_path: Path) -> None:
    path = files(database)[0]
    path.write_bytes(LARGE[:-1] + b"!")
    made = taken(database, tmp_path / "copy")
    assert [(finding.what, finding.key) for finding in made.damage] == [("body", path.name)]
    with pytest.raises(AlightError, match=r"is damaged: body"):
        restore(tmp_path / "copy", tmp_path / "again")
    assert not (tmp_path / "again").exists()


async def test_bits_that_flip_in_a_backup_are_found(database: Database, filled: None, tmp_path: Path) -> None:
    taken(database, tmp_path / "copy")
    database_file = tmp_path / "copy" / "alight.db"
    connection = apsw.Connection(str(database_file))
    connection.execute("UPDATE objects SET etag = 'other' WHERE key = 'small'")
    connection.close()
    with pytest.raises(AlightError, match="objects bucket small"):
        restore(tmp_path / "copy", tmp_path / "again")


async def test_nothing_is_written_over_and_nothing_is_left_half(
    database: Database, filled: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(database, tmp_path / "copy")
    with pytest.raises(AlightError, match="exists already"):
        taken(database, tmp_path / "copy")
    with pytest.raises(AlightError, match="exists already"):
        restore(tmp_path / "copy", database.folder)
    with pytest.raises(AlightError, match="in the data folder itself"):
        taken(database, database.folder / "copy")
    monkeypatch.setattr(backups, "_copy_rest", lambda *paths: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        taken(database, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data"]


async def test_a_folder_that_is_no_backup_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(AlightError, match="is no backup"):
        restore(database.folder, tmp_path / "again")


async def test_a_newer_backup_is_refused(database: Database, filled: None, tmp_path: Path) -> None:
    taken(database, tmp_path / "copy")
    connection = apsw.Connection(str(tmp_path / "copy" / "alight.db"))
    connection.pragma("user_version", 9999)
    connection.close()
    with pytest.raises(AlightError, match="schema version 9999"):
        restore(tmp_path / "copy", tmp_path / "again")


async def test_an_empty_folder_may_be_restored_to(database: Database, filled: None, tmp_path: Path) -> None:
    taken(database, tmp_path / "copy")
    (tmp_path / "again").mkdir()
    restore(tmp_path / "copy", tmp_path / "again")
    assert verify(tmp_path / "again") == []


async def test_the_last_backup_is_known_and_in_none(database: Database, filled: None, tmp_path: Path) -> None:
    assert last_backup(database.folder) is None
    made = taken(database, tmp_path / "copy")
    assert last_backup(database.folder) == made
    again = taken(database, tmp_path / "again")
    assert last_backup(database.folder) == again
    (database.folder / RECORD).with_suffix(".json.new").touch()
    for copy in (tmp_path / "again", tmp_path / "third"):
        if not copy.exists():
            taken(database, copy)
        assert not list(copy.glob("last-backup*"))
    (database.folder / RECORD).write_text("{")
    assert last_backup(database.folder) is None


async def test_offline_work_needs_the_folder_for_itself(
    database: Database, filled: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offline.main(["backup", str(database.folder), str(tmp_path / "copy")]) == 2
    assert "is in use by process" in json.loads(capsys.readouterr().out)["error"]
    await database.close()
    assert offline.main(["backup", str(database.folder), str(tmp_path / "copy")]) == 0
    assert json.loads(capsys.readouterr().out)["bodies"] == 1
    assert offline.main(["verify", str(tmp_path / "copy")]) == 0
    assert json.loads(capsys.readouterr().out) == {"damage": []}
    assert offline.main(["verify", str(tmp_path)]) == 2
    assert "no data of Alight" in json.loads(capsys.readouterr().out)["error"]
    assert offline.main(["tidy"]) == 2
