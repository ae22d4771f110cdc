"""The thread that writes telemetry in batches; it would rather drop an entry than hold anybody up."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any, NamedTuple

import apsw

from alight.errors.common import ServiceUnavailable
from alight.store.minutes import Minutes, Place, Tally, tally_of
from alight.store.statements import Statements

#: Entries that wait at most; more than that are dropped.
CAPACITY = 50_000

BATCH_SIZE = 500
#: Rows of one batch share the pages that they change: the longer it gathers, the fewer are written. Whoever reads has
#: what waits written first (`flush`), so this is what a crash may take.
BATCH_SECONDS = 0.5
#: Batches after which the minutes of metrics are written too, unless somebody asks for them.
MINUTES_TURNS = 2

#: What is inserted many rows at a time.
IN_ONE = frozenset({"telemetry.log", "telemetry.span", "telemetry.invocation", "telemetry.prediction"})
ROWS_AT_ONCE = (32, 8, 2)

#: Rows that one pruning statement removes, so that entries do not wait long behind it.
PRUNE_STEP = 5_000

CHECKPOINT_PAGES = 1_000

#: What each line counts for besides its text, as AWS counts; `telemetry.recount_streams` knows it, too.
LINE_BYTES = 26


class Entry(NamedTuple):
    """One row to be written: the statement and its parameters."""

    statement: str
    row: dict[str, Any]


class TelemetryWriter:
    """Owns the writing connection of `telemetry.db`."""

    def __init__(self, connection: apsw.Connection, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements
        self._waiting: deque[Entry] = deque()
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self.minutes = Minutes()
        self.dropped = 0
        #: Of these, what was to be counted.
        self.uncounted = 0
        connection.wal_autocheckpoint(CHECKPOINT_PAGES)
        self._thread = threading.Thread(target=self._loop, name="alight-telemetry", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether all that was added is written: what a batch has taken is under the guard until then."""
        return not (self._waiting or self.minutes or self._guard.locked())

    def add(self, *entries: Entry) -> None:
        """Take entries, or drop those that find too many waiting. Never blocks."""
        waiting = len(self._waiting) + len(entries)
        if waiting > CAPACITY or self._closing:
            room = 0 if self._closing else max(len(entries) - (waiting - CAPACITY), 0)
            self.dropped += len(entries) - room
            entries = entries[:room]
        self._waiting.extend(entries)
        if waiting >= BATCH_SIZE:
            self._wake.set()

    def lose(self, count: int) -> None:
        """So many minutes or values of metrics were not kept."""
        self.dropped += count
        self.uncounted += count

    def write_now(self, entries: list[Entry]) -> int:
        """Write these, all or none, behind everything that waits; how many rows there are more (blocks). Raises
        `ServiceUnavailable` where the disk refuses."""
        self.flush()
        with self._guard:
            before = self._connection.total_changes()
            try:
                with self._connection:
                    for entry in entries:
                        self._connection.execute(self._statements[entry.statement].sql, entry.row)
                    rows = self._connection.total_changes() - before
                    for name, row in _summaries(entries):
                        self._connection.execute(self._statements[name].sql, row)
            except apsw.Error as error:
                raise ServiceUnavailable(f"Logs could not be written: {error}.") from error
        return rows

    def flush(self) -> None:
        """Write everything that waits (blocks)."""
        with self._guard:
            self._write_waiting()
            if self.minutes:
                self._write_minutes()

    def prune(self, steps: list[tuple[str, dict[str, Any]]]) -> int:
        """Run deleting statements in small steps between the batches; the number of rows that went (blocks)."""
        self.flush()
        removed = 0
        for name, params in steps:
            sql = self._statements[name].sql
            while True:
                with self._guard:
                    self._connection.execute(sql, {**params, "limit": PRUNE_STEP})
                    changes = self._connection.changes()
                removed += changes
                if changes < PRUNE_STEP or ":limit" not in sql:
                    break
        return removed

    def close(self) -> None:
        """Write what is left, end the thread, close the connection (blocks)."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self.flush()
        self._connection.close()

    def _loop(self) -> None:
        turn = 0
        while not self._closing:
            self._wake.wait(BATCH_SECONDS)
            self._wake.clear()
            turn += 1
            if self.minutes and turn % MINUTES_TURNS == 0:
                self.flush()
            elif self._waiting:
                with self._guard:
                    self._write_waiting()

    def _write_waiting(self) -> None:
        while self._waiting:
            self._write_batch()

    def _write_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_SIZE))]
        try:
            with self._connection:
                for name, rows in _by_statement(batch):
                    self._write_rows(name, rows)
                for name, row in _summaries(batch):
                    self._connection.execute(self._statements[name].sql, row)
        except (apsw.Error, TypeError, ValueError):
            # A disk that refuses, or a name that is not text; the thread goes on.
            self.dropped += len(batch)

    def _write_minutes(self) -> None:
        taken, lost = self.minutes.taken()
        self.lose(lost)
        try:
            with self._connection:
                for place, tally in taken:
                    self._write_minute(place, tally)
        except (apsw.Error, TypeError, ValueError):
            self.lose(len(taken))

    def _write_minute(self, place: Place, tally: Tally) -> None:
        """Add to what the disk has of this minute."""
        dimensions = dumped(dict(place.dimensions))
        row = {"namespace": place.namespace, "name": place.name, "dimensions": dimensions, "ts": float(place.minute)}
        try:
            [(series,)] = self._connection.execute(self._statements["telemetry.series_seen"].sql, row)
            key = {"series": series, "minute": place.minute, "unit": place.unit}
            for columns in self._connection.execute(self._statements["telemetry.minute"].sql, key):
                tally.merge(tally_of(*columns))
            row = {"count": tally.count, "sum": tally.sum, "low": tally.low, "high": tally.high}
            text = tally.spread_text()
            self._connection.execute(self._statements["telemetry.minute_put"].sql, key | row | {"spread": text})
        except (TypeError, ValueError, apsw.ConstraintError, apsw.TooBigError):
            # Not text, or no number: this one alone.
            self.lose(1)

    def _write_rows(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Many at a time: the connection lets go of the interpreter for each statement, and the loop's thread, which
        has it then, has to be asked for it back."""
        done = 0
        for size in ROWS_AT_ONCE if name in IN_ONE else ():
            names, sql = self._statements[name].many(size)
            while len(rows) - done >= size:
                some = rows[done : done + size]
                done += size
                try:
                    self._connection.execute(sql, [row[key] for row in some for key in names])
                except (TypeError, ValueError, apsw.ConstraintError, apsw.TooBigError):
                    # One of them cannot be written, so none of them was.
                    for row in some:
                        self._write(name, row)
        for row in rows[done:]:
            self._write(name, row)

    def _write(self, name: str, row: dict[str, Any]) -> None:
        try:
            self._connection.execute(self._statements[name].sql, row)
        except (TypeError, ValueError, apsw.ConstraintError, apsw.TooBigError):
            # Not text, or no number: this entry alone.
            self.dropped += 1


def _by_statement(batch: list[Entry]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What is inserted goes together, each kind in the order in which it came; all else keeps its place."""
    inserted: dict[str, list[dict[str, Any]]] = {}
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for entry in batch:
        rows = inserted.get(entry.statement)
        if rows is None or entry.statement not in IN_ONE:
            rows = inserted[entry.statement] = []
            found.append((entry.statement, rows))
        rows.append(entry.row)
    return found


def size(message: str) -> int:
    """Bytes that a line counts for, by AWS's reckoning."""
    return (len(message) if message.isascii() else len(message.encode(errors="replace"))) + LINE_BYTES


def _summaries(batch: list[Entry]) -> list[tuple[str, dict[str, Any]]]:
    """What a batch says about its streams, once for each."""
    streams: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in batch:
        row = entry.row
        if entry.statement != "telemetry.log":
            continue
        seen = streams.setdefault(
            (row["log_group"], row["stream"]),
            {
                "log_group": row["log_group"],
                "stream": row["stream"],
                "first": row["ts"],
                "last": row["ts"],
                "bytes": 0,
            },
        )
        seen["first"], seen["last"] = min(seen["first"], row["ts"]), max(seen["last"], row["ts"])
        seen["ingested"] = row["ingested"]
        seen["bytes"] += size(row["message"])
    return [("telemetry.log_seen", row) for row in streams.values()]


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)


def dumped(value: Any) -> str:
    """The form in which attributes and dimensions are kept: equal values are equal texts."""
    return _ENCODER.encode(value) if value else "{}"
