"""What explains: logs, spans, invocations and metrics, in a file of their own.

Writing never waits and never fails the caller: entries gather in memory, a thread writes them in batches (every
0.5 s, or 500, or as soon as somebody calls `flush`, as all do who read), and what does not fit or cannot be written is
dropped and counted. A crash may take the last half second; nothing that was promised to anybody is in here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw

from alight.clock import Clock
from alight.store.connections import RELAXED, open_reader, open_writer
from alight.store.metrics import FOREVER, Metrics
from alight.store.migrations import TELEMETRY_MIGRATIONS, migrate
from alight.store.predictions import Predictions
from alight.store.ranges import behind_prefix
from alight.store.rows import Reader, Row
from alight.store.statements import load_statements
from alight.store.telemetry_writer import Entry, TelemetryWriter, dumped

__all__ = ["FILE_NAME", "FOREVER", "Telemetry"]

FILE_NAME = "telemetry.db"
T = TypeVar("T")


class Telemetry(Metrics):
    """Owner of `telemetry.db`. Times are seconds since 1970; readers see what was flushed."""

    def __init__(self, clock: Clock, connection: apsw.Connection, reading: apsw.Connection) -> None:
        self._statements = statements = load_statements()
        super().__init__(
            clock, Reader(reading, statements, lambda damage: None), TelemetryWriter(connection, statements)
        )
        self._reading = reading
        # Asked for now: other threads want it, and a connection answers one at a time, the others it refuses.
        self._path = Path(reading.filename)
        self.predictions = Predictions(self._reader, self._writer.add)

    @classmethod
    async def open(cls, folder: Path, clock: Clock) -> Telemetry:
        """Open the folder's telemetry; a file that cannot be read is set aside and a new one begun."""
        path = folder / FILE_NAME
        try:
            connection, reading = await asyncio.to_thread(_open, path)
        except (apsw.NotADBError, apsw.CorruptError):
            await asyncio.to_thread(_set_aside, path)
            connection, reading = await asyncio.to_thread(_open, path)
        return cls(clock, connection, reading)

    def run_apart(self, work: Callable[[Predictions], T]) -> T:
        """Call `work` with predictions over a connection of its own: for long reads, in a thread (blocks)."""
        connection = open_reader(self._path)
        try:
            return work(Predictions(Reader(connection, self._statements, lambda damage: None), self._writer.add))
        finally:
            connection.close()

    @property
    def dropped(self) -> int:
        """Entries that were not kept since the start."""
        return self._writer.dropped

    def log(self, group: str, stream: str, timestamp: float, message: str, request_id: str = "") -> None:
        """One line of a log."""
        row = _line(group, stream, float(timestamp), self._clock.now(), request_id)
        self._writer.add(Entry("telemetry.log", row | {"message": message}))

    def log_all(self, group: str, stream: str, now: float, messages: Sequence[str], request_id: str = "") -> None:
        """Lines of a log that come together, now."""
        row = _line(group, stream, now, now, request_id)
        self._writer.add(*[Entry("telemetry.log", row | {"message": message}) for message in messages])

    async def put_logs(self, group: str, stream: str, lines: Sequence[tuple[float, str]]) -> None:
        """Lines (seconds since 1970, message) that are in the file once this returns. Raises where they are not."""
        now = self._clock.now()
        row = _line(group, stream, now, now, "")
        entries = [Entry("telemetry.log", row | {"ts": float(ts), "message": message}) for ts, message in lines]
        await asyncio.to_thread(self._writer.write_now, entries)

    async def create_stream(self, group: str, stream: str) -> bool:
        """A stream that may stay without lines, in the file once this returns. False where it was there."""
        row = {"log_group": group, "stream": stream, "now": self._clock.now()}
        return await asyncio.to_thread(self._writer.write_now, [Entry("telemetry.stream_add", row)]) > 0

    def span(self, request_id: str, name: str, start: float, end: float, event_id: str = "", **attributes: Any) -> None:
        """One step of a request; `attributes` are JSON values."""
        row = {
            "request_id": request_id,
            "event_id": event_id or "",
            "name": name,
            "start": float(start),
            "end": float(end),
            "attributes": dumped(attributes),
        }
        self._writer.add(Entry("telemetry.span", row))

    def invocation(
        self,
        *,
        request_id: str,
        event_id: str | None,
        function: str,
        attempt: int,
        started: float,
        ended: float,
        init_ms: float | None,
        outcome: str,
        error: str = "",
        max_memory_mb: int = 0,
    ) -> None:
        """One run of a function."""
        row = {
            "request_id": request_id,
            "event_id": event_id or "",
            "function": function,
            "attempt": attempt,
            "started": float(started),
            "ended": float(ended),
            "init_ms": init_ms,
            "outcome": outcome,
            "error": error or "",
            "max_memory_mb": max_memory_mb,
        }
        self._writer.add(Entry("telemetry.invocation", row))

    def logs(
        self,
        group: str = "",
        stream: str | None = None,
        start: float = 0.0,
        end: float = FOREVER,
        after: tuple[float, int] = (-FOREVER, 0),
        after_id: int = 0,
        limit: int = 10_000,
        request_id: str | None = None,
    ) -> list[Row]:
        """Lines (id, log_group, stream, ts, ingested, message, request_id) in the order of time, from `start` up to,
        not including, `end`, behind `after`, the (ts, id) of the last one of the page before; only those that came
        after `after_id`. By `request_id`: in the order in which they came."""
        if request_id is not None:
            return self._reader.all("telemetry.logs_of_request", request_id=request_id, after_id=after_id, limit=limit)
        name = "telemetry.logs" if stream is None else "telemetry.stream_logs"
        # The index is entered at this place; what lies before `start` would be read line by line.
        ts, row = max(after, (start, 0))
        place = {"after_ts": float(ts), "after_row": row, "after_id": after_id}
        return self._reader.all(name, log_group=group, stream=stream, start=start, end=end, limit=limit, **place)

    def logs_back(
        self,
        group: str,
        stream: str | None = None,
        start: float = 0.0,
        end: float = FOREVER,
        before: tuple[float, int] = (FOREVER, 0),
        limit: int = 10_000,
    ) -> list[Row]:
        """The same, newest first, from before `before` on."""
        name = "telemetry.logs_back" if stream is None else "telemetry.stream_logs_back"
        ts, row = min(before, (end, 0))
        place = {"before_ts": float(ts), "before_id": row}
        return self._reader.all(name, log_group=group, stream=stream, start=start, end=end, limit=limit, **place)

    def logs_since(self, group: str, after_id: int, limit: int = 1000) -> list[Row]:
        """Lines in the order in which they came, behind `after_id`: for those who follow a log."""
        return self._reader.all("telemetry.logs_since", log_group=group, after_id=after_id, limit=limit)

    def last_log_id(self) -> int:
        """The id of the newest line of all; 0 where there is none."""
        row = self._reader.one("telemetry.last_log_id")
        return int(row["id"]) if row else 0

    def streams(self, group: str, prefix: str = "", limit: int = 10_000) -> list[Row]:
        """Streams (log_group, stream, created, first_ts, last_ts, last_ingested, bytes) by name."""
        end = behind_prefix(prefix)
        return self._reader.all("telemetry.streams", log_group=group, start=prefix, end=end, limit=limit)

    def groups(self, prefix: str = "", limit: int = 10_000) -> list[Row]:
        """Groups that have streams (log_group, created, bytes) by name."""
        return self._reader.all("telemetry.groups", start=prefix, end=behind_prefix(prefix), limit=limit)

    def spans(self, request_id: str | None = None, event_id: str | None = None, limit: int = 10_000) -> list[Row]:
        """The steps of a request, or those taken for an event, by their start; `attributes` is a dict."""
        if event_id is not None:
            rows = self._reader.all("telemetry.spans_of_event", event_id=event_id, limit=limit)
        else:
            rows = self._reader.all("telemetry.spans_of_request", request_id=request_id or "", limit=limit)
        return [row | {"attributes": json.loads(row["attributes"])} for row in rows]

    def api_requests(self, api: str, limit: int) -> list[Row]:
        """The newest requests to a deployed API (its id), as spans."""
        rows = self._reader.all("telemetry.api_requests", api=api, limit=limit)
        return [row | {"attributes": json.loads(row["attributes"])} for row in rows]

    def invocations(
        self,
        function: str | None = None,
        event_id: str | None = None,
        request_id: str | None = None,
        start: float = 0.0,
        end: float = FOREVER,
        limit: int = 1000,
    ) -> list[Row]:
        """Runs of one event or request in order; of a function, or of all, newest first."""
        if event_id is not None:
            return self._reader.all("telemetry.invocations_of_event", event_id=event_id, limit=limit)
        if request_id is not None:
            return self._reader.all("telemetry.invocations_of_request", request_id=request_id, limit=limit)
        stretch = {"start": start, "end": end, "limit": limit}
        if function is not None:
            return self._reader.all("telemetry.invocations_of_function", function=function, **stretch)
        return self._reader.all("telemetry.invocations", **stretch)

    async def flush(self) -> None:
        """Return once everything that was added before can be read."""
        if not self._writer.idle:
            await asyncio.to_thread(self._writer.flush)

    async def prune(self, before: float, group: str | None = None, spared: Collection[str] = ()) -> int:
        """Forget what is older than `before`, of one log group or of everything but the logs of the groups `spared`;
        how many rows were touched."""
        place = {"before": before, "log_group": group, "spared": json.dumps(sorted(spared))}
        if group is not None:
            kinds: tuple[str, ...] = ("prune_group", "recount_streams", "prune_streams")
        else:
            others = ("spans", "invocations", "predictions", "minutes", "series")
            kinds = ("prune_logs", "recount_streams", "prune_streams", *(f"prune_{kind}" for kind in others))
        return await asyncio.to_thread(self._writer.prune, [(f"telemetry.{kind}", place) for kind in kinds])

    async def delete_logs(self, group: str, stream: str | None = None) -> None:
        """Forget a log group's streams and lines, or one stream's."""
        place = {"log_group": group, "stream": stream, "before": FOREVER}
        kind = "group" if stream is None else "stream"
        steps = [(f"telemetry.prune_{kind}", place), ("telemetry.delete_streams", place)]
        await asyncio.to_thread(self._writer.prune, steps)

    async def close(self) -> None:
        """Write what is left and close the file."""
        await asyncio.to_thread(self._writer.close)
        self._reading.close()


def _line(group: str, stream: str, ts: float, ingested: float, request_id: str) -> Row:
    """What a log's lines have in common."""
    return {"log_group": group, "stream": stream, "ts": ts, "ingested": ingested, "request_id": request_id}


def _open(path: Path) -> tuple[apsw.Connection, apsw.Connection]:
    connection = open_writer(path, RELAXED)
    try:
        migrate(connection, TELEMETRY_MIGRATIONS)
        return connection, open_reader(path)
    except BaseException:
        connection.close()
        raise


def _set_aside(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(path.with_name(f"damaged-{path.name}{suffix}"))
