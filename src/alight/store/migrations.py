"""The schema, version by version: `sql/migrations/0001_first.sql`, `0002_...`; the file's number is the version.

A migration and its version number commit together, so a crash in between repeats it from the start.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from alight.errors import AlightError
from alight.store.statements import SQL_FOLDER

MIGRATIONS = SQL_FOLDER / "migrations"
TELEMETRY_MIGRATIONS = SQL_FOLDER / "telemetry"


def migrate(connection: apsw.Connection, folder: Path) -> int:
    """Bring the database to the newest version of `folder` and return it.

    Raises `AlightError` where the database was written by a newer Alight.
    """
    steps, newest = _steps(folder), newest_version(folder)
    current = int(connection.pragma("user_version"))
    if current > newest:
        raise AlightError(
            f"{connection.filename} has schema version {current}, this Alight knows versions up to {newest}.",
            "It was written by a newer Alight: use that one, or another data folder.",
        )
    for version, path in steps:
        if version > current:
            with connection:
                connection.execute(path.read_text(encoding="utf-8"))
                connection.pragma("user_version", version)
    return newest


def newest_version(folder: Path) -> int:
    """The version that `migrate` brings a database to."""
    return _steps(folder)[-1][0]


def _steps(folder: Path) -> list[tuple[int, Path]]:
    return sorted((int(path.name.split("_")[0]), path) for path in folder.glob("*.sql"))
