"""Rows in and out by statement name: `Reader` asks, `Tx` also changes.

A row that does not match its checksum is never used: `one` raises `Damaged` with the row's key; `all` leaves it out
and reports it, so that one damaged row does not stop the others. Where a text is no UTF-8 any more, SQLite's answer
ends there: every question raises `Torn`, which is reported too, until the row was mended (`mending.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from alight.errors.store import Damaged, Torn
from alight.store.connections import FATAL
from alight.store.statements import Statement, Statements

T = TypeVar("T")
Row = dict[str, Any]
#: The largest whole number of a row.
MOST = (1 << 63) - 1
OnDamage = Callable[[Damaged], None]


def row_number(text: str) -> int | None:
    """A row's number as somebody wrote it; None where it is none, or no row could have it."""
    number = int(text) if text.isdecimal() and len(text) < 20 else None
    return number if number is not None and number <= MOST else None


class Reader:
    """Questions to one connection; each is read to its end at once, so keep results bounded."""

    def __init__(self, connection: apsw.Connection, statements: Statements, on_damage: OnDamage) -> None:
        self._connection = connection
        self._statements = statements
        self._on_damage = on_damage

    def one(self, name: str, /, **params: Any) -> Row | None:
        """The first row, or None. Raises `Damaged`."""
        rows = self._rows(self._statements[name], params)
        if not rows:
            return None
        if not self._whole(name, rows[0]):
            raise _damage(name, rows[0])
        return rows[0]

    def all(self, name: str, /, **params: Any) -> list[Row]:
        """All rows but the damaged ones, which are reported."""
        return [row for row in self._rows(self._statements[name], params) if self._whole(name, row)]

    def every(self, name: str, /, **params: Any) -> list[tuple[Row, bool]]:
        """All rows, each with whether it may be used, for a caller that goes on behind the last one."""
        return [(row, self._whole(name, row)) for row in self._rows(self._statements[name], params)]

    def report(self, damage: Damaged) -> None:
        """Of what a caller has found itself in a row."""
        self._on_damage(damage)

    def _whole(self, name: str, row: Row) -> bool:
        if row.pop("intact", 1):
            return True
        self._on_damage(_damage(name, row))
        return False

    def _torn(self, name: str, error: UnicodeDecodeError) -> Torn:
        damage = Torn(name, f"({error})")
        self._on_damage(damage)
        return damage

    def _rows(self, statement: Statement, params: dict[str, Any]) -> list[Row]:
        try:
            cursor = self._connection.execute(statement.sql, params)
            if not statement.columns:
                statement.columns = tuple(column[0] for column in cursor.get_description())
            columns = statement.columns
            return [dict(zip(columns, row, strict=True)) for row in cursor]
        except apsw.ExecutionCompleteError:
            return []
        except UnicodeDecodeError as error:
            raise self._torn(statement.name, error) from None


class Tx(Reader):
    """What a write job is given. All it does commits together, or not at all; it must not outlive the job."""

    def __init__(self, connection: apsw.Connection, statements: Statements, on_damage: OnDamage) -> None:
        super().__init__(connection, statements, on_damage)
        self.directories: set[Path] = set()
        self.committed: list[Callable[[], None]] = []
        self.rolled_back: list[Callable[[], None]] = []

    @property
    def changes(self) -> int:
        """Rows that the last statement inserted, updated or deleted."""
        return self._connection.changes()

    @property
    def last_row(self) -> int:
        """The number of the row that was inserted last."""
        return self._connection.last_insert_rowid()

    def run(self, name: str, /, **params: Any) -> None:
        """Run a statement for its effect."""
        try:
            for _ in self._connection.execute(self._statements[name].sql, params):
                pass
        except UnicodeDecodeError as error:
            raise self._torn(name, error) from None

    def apart(self, part: Callable[[], T]) -> T | None:
        """Do a part of the job that may fail alone: None where it has failed, and none of it is done. A disk that fails
        or is full fails the job."""
        self._connection.execute("SAVEPOINT part")
        result = None
        try:
            result = part()
        except (apsw.FullError, *FATAL):
            raise
        except Exception as error:
            if not self._connection.in_transaction or isinstance(error, OSError):
                raise
            self._connection.execute("ROLLBACK TO part")
        self._connection.execute("RELEASE part")
        return result

    def sync_directory(self, path: Path) -> None:
        """Have the names in `path` flushed before the group commits (once per group)."""
        self.directories.add(path)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this on the event loop once the job is durable, before its caller goes on."""
        self.committed.append(call)

    def after_rollback(self, call: Callable[[], None]) -> None:
        """Call this in the writer's thread where the job is taken back for certain."""
        self.rolled_back.append(call)


def _damage(name: str, row: Row) -> Damaged:
    """The first two columns are what a statement with checksums selects as the key."""
    return Damaged(name.partition(".")[0], " ".join(str(value) for value in list(row.values())[:2]))
