"""New stories as they come: one look at the journal for all readers, sent as server-sent events.

Nobody is polled for while nobody reads. What is not over yet is looked at again until it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from alight.clock import Clock
from alight.console.stories import LATEST, Row, Stories, Wanted
from alight.store import journal
from alight.store.database import Database
from alight.store.journal import State
from alight.store.telemetry import Telemetry

#: Seconds between two looks.
LOOK = 0.4
#: Rows that one look finds at most, and that wait for one reader; more are left to the next loading of the page.
MOST = 100
WAITING = 400
#: Seconds for which what is over is looked at again for a new reader: longer than a page takes to load.
FRESH = 10.0
#: Seconds after which a reader is told that the line is open.
HEARTBEAT = 15.0


@dataclass(slots=True, eq=False)
class Reader:
    """One open page."""

    wanted: Wanted
    rows: asyncio.Queue[Row] = field(default_factory=lambda: asyncio.Queue(WAITING))


class Stream:
    """Rows for every open page. `write` makes the HTML of a row."""

    def __init__(
        self, database: Database, telemetry: Telemetry, stories: Stories, clock: Clock, write: Callable[[Row], str]
    ) -> None:
        self._database = database
        self._telemetry = telemetry
        self._stories = stories
        self._clock = clock
        self._write = write
        self._readers: set[Reader] = set()
        self._looking: asyncio.Task[None] | None = None
        self._open: dict[str, Row] = {}

    async def follow(self, wanted: Wanted) -> AsyncIterator[str]:
        """Server-sent events, each `{"id", "html"}`, until the reader goes."""
        reader = Reader(wanted)
        self._readers.add(reader)
        self._take_up()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield ": open\n\n"
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        row = await reader.rows.get()
                except TimeoutError:
                    yield ": still open\n\n"
                    continue
                yield f"data: {json.dumps({'id': row.id, 'html': self._write(row)})}\n\n"
        finally:
            self._readers.discard(reader)

    async def close(self) -> None:
        """No more looks."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        """While anybody reads."""
        seq = journal.seq_before(self._database.read(), LATEST)
        moment = self._clock.now() - FRESH
        while self._readers:
            for event in reversed(journal.newest(self._database.read(), limit=MOST)):
                if event.seq >= seq:
                    self._open.setdefault(event.id, Row(event.id, event.accepted, ""))
                    seq = event.seq + 1
            alone = self._telemetry.predictions.newest(before=LATEST, alone=True, limit=MOST)
            fresh = [one for one in reversed(alone) if one.ts > moment]
            moment = max([moment, *(one.ts for one in fresh)])
            self._tell(self._stories.answered(fresh))
            self._tell(self._changed())
            await self._clock.sleep(LOOK)

    def _take_up(self) -> None:
        """What a page has shown as under way when it was made may be over before its stream is open: look again."""
        for event in journal.newest(self._database.read(), limit=MOST):
            if event.state in (State.PENDING, State.RUNNING) or (
                event.finished is not None and self._is_fresh(event.finished)
            ):
                self._open.setdefault(event.id, Row(event.id, event.accepted, ""))

    def _is_fresh(self, moment: float) -> bool:
        return moment > self._clock.now() - FRESH

    def _changed(self) -> list[Row]:
        """Those of the open stories that are not as they were told; who is settled is told once more, then left."""
        found = [journal.get(self._database.read(), id) for id in list(self._open)[:MOST]]
        rows = self._stories.of([event for event in found if event is not None])
        changed = [row for row in rows if row != self._open.get(row.id)]
        known = {row.id for row in rows}
        self._open = {
            **{id: row for id, row in self._open.items() if id not in known},
            **{row.id: row for row in rows if not row.is_settled or row != self._open.get(row.id)},
        }
        return changed

    def _tell(self, rows: list[Row]) -> None:
        for row in rows:
            for reader in self._readers:
                if reader.wanted.admits(row) and not reader.rows.full():
                    reader.rows.put_nowait(row)
