"""What a database stands on when it opens: the right SQLite, a sound file, the newest schema, no commit missing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from alight.clock import Clock
from alight.errors import AlightError
from alight.store.ballast import Ballast
from alight.store.connections import sync_directory
from alight.store.migrations import MIGRATIONS, migrate
from alight.store.statements import Statements, load_statements
from alight.store.witness import Witness
from alight.store.writer import COMMITS

FILE_NAME = "alight.db"

#: The folder of the object store's files; it is made after the database.
BODIES = "bodies"

SEQUENCER = "sequencer"
_IDENTITY = "identity"

_RESTORE = "Nothing was changed. Restore a backup, or choose another folder with --data DIR."


@dataclass(frozen=True, slots=True)
class Ground:
    """An open database; `identity` is a number that no other one has."""

    connection: apsw.Connection
    statements: Statements
    witness: Witness
    ballast: Ballast
    identity: int


def prepare(folder: Path, clock: Clock, connect: Callable[[Path], apsw.Connection], ballast: Ballast) -> Ground:
    """Open the database of `folder` with `connect` (blocks). Raises `AlightError`, with everything left as it was."""
    _check_sqlite()
    path = folder / FILE_NAME
    if (folder / BODIES).exists() and (not path.exists() or path.stat().st_size == 0):
        # Beginning anew here would take every object for an orphan.
        raise AlightError(f"{path} is missing or empty, but there are objects beside it.", _RESTORE)
    witness = connection = None
    try:
        witness = Witness(folder)
        connection = connect(path)
        identity = _begin(connection, witness, folder, clock)
        ballast.ensure()
        return Ground(connection, load_statements(), witness, ballast, identity)
    except BaseException as error:
        if witness is not None:
            witness.close()
        if connection is not None:
            # The log may be all that is left to recover from: closing must not clear it away.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close()
        if isinstance(error, apsw.NotADBError | apsw.CorruptError):
            raise AlightError(f"{path} is no database of Alight, or is damaged.", _RESTORE) from None
        if isinstance(error, apsw.Error | OSError):
            raise AlightError(f"{path} cannot be opened: {error}.", "Choose another folder with --data DIR.") from None
        raise


def _begin(connection: apsw.Connection, witness: Witness, folder: Path, clock: Clock) -> int:
    """Check the database, bring it up to date, return its identity."""
    statements = load_statements()

    def counter(name: str) -> int:
        rows = connection.execute(statements["counters.get"].sql, {"name": name}).fetchall()
        return int(str(rows[0][0])) if rows else 0

    known = connection.table_exists("main", "counters")
    # Before anything is written: what is missing must not be written over.
    witness.check(*(map(counter, (_IDENTITY, COMMITS)) if known else (0, 0)))
    migrate(connection, MIGRATIONS)
    # Sequencers of a folder made later are greater, whatever became of an earlier one.
    first = {SEQUENCER: int(clock.now() * 1000) << 12, _IDENTITY: secrets.randbits(62) | 1, COMMITS: 0}
    with connection:
        for name, value in first.items():
            connection.execute(statements["counters.seed"].sql, {"name": name, "value": value})
    sync_directory(folder)
    sync_directory(folder.parent)
    return counter(_IDENTITY)


def _check_sqlite() -> None:
    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < (3, 51, 3):
        raise AlightError(f"SQLite {version} can lose commits.", "Install apsw 3.51.3 or newer.")
