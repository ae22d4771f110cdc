"""New stories as they come: one look at the journal for all readers, sent as server-sent events, one for each look.

Nobody is polled for while nobody reads. What is not over yet is looked at again until it is. The runtime's work comes
first: however much happens, few rows are drawn for a look, each once for all readers, and of the others it is told how
many there are.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from alight.clock import Clock
from alight.console.stories import LATEST, Row, Stories, Wanted
from alight.store import journal
from alight.store.database import Database
from alight.store.journal import Event
from alight.store.telemetry import Telemetry

log = logging.getLogger(__name__)

#: Seconds between two looks; and between two where more happens than can be drawn.
LOOK = 0.5
BUSY = 1.0
#: New rows that are drawn for a reader at once, and for each look where there is no end of them: as much as eyes can
#: follow, and little enough work for server and browser.
AT_ONCE = 20
A_LOOK = 3
#: Stories that one look finds at most, and that are looked at again until they are over.
MOST = 100
OPEN = 1_000
#: Looks that wait for a reader who is slow; then the line is cut, and the page begins anew.
WAITING = 20
#: Stories of which it is remembered whether a reader has them on the page.
REMEMBERED = 1_000
#: Seconds for which what is over is looked at again for a new reader: longer than a page takes to load.
FRESH = 10.0
#: Seconds after which a reader is told that the line is open.
HEARTBEAT = 15.0
NOTHING = '{"rows": [], "gone": [], "more": 0}'


@dataclass(slots=True, eq=False)
class Reader:
    """One open page. `known` says of a story whether its row was drawn, or only counted; `allowance` is how many new
    rows may be drawn now."""

    wanted: Wanted
    known: dict[str, bool] = field(default_factory=dict)
    looks: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(WAITING))
    is_behind: bool = False
    allowance: int = AT_ONCE

    def tell(self, rows: Iterable[Row], piece: Callable[[Row], str]) -> None:
        """One look's rows: what is on the page is kept true; of what is new, the newest that are over come first."""
        mine = [row for row in rows if self.wanted.admits(row)]
        gone = {row.id for row in rows if self.known.get(row.id)} - {row.id for row in mine}
        again = [row for row in mine if self.known.get(row.id)]
        new = sorted((row for row in mine if row.id not in self.known), key=lambda row: (row.is_settled, row.when))
        rest = max(len(new) - self.allowance, 0)
        drawn = new[rest:]
        # What is under way comes again when it is over: it is not counted yet.
        counted = [row for row in new[:rest] if row.is_settled]
        self.allowance = min(self.allowance - len(drawn) + A_LOOK, AT_ONCE)
        self.known |= dict.fromkeys((row.id for row in counted), False) | dict.fromkeys((row.id for row in drawn), True)
        while len(self.known) > REMEMBERED:
            del self.known[next(iter(self.known))]
        if not (again or drawn or counted or gone):
            return
        pieces = ", ".join(piece(row) for row in [*again, *drawn])
        if self.looks.full():
            self.is_behind = True
        else:
            self.looks.put_nowait(f'{{"rows": [{pieces}], "gone": {json.dumps(sorted(gone))}, "more": {len(counted)}}}')

    def cut(self) -> None:
        """The line ends, and the page begins anew."""
        self.is_behind = True
        if not self.looks.full():
            self.looks.put_nowait(NOTHING)


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
        """Server-sent events, each `{"rows": [{"id", "html"}], "gone": [id], "more": count}`, until the reader goes."""
        seq = journal.last_seq(self._database.read())
        reader = Reader(wanted, dict.fromkeys(self._take_up(), True))
        self._readers.add(reader)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(seq))
        try:
            yield ": open\n\n"
            while not reader.is_behind:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        look = await reader.looks.get()
                except TimeoutError:
                    yield ": still open\n\n"
                    continue
                yield f"data: {look}\n\n"
        finally:
            self._readers.discard(reader)

    async def close(self) -> None:
        """No more looks."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self, seq: int) -> None:
        """For what came behind `seq`, while anybody reads. Where it cannot go on, nobody is left with a page that looks
        alive and tells nothing."""
        try:
            await self._look_on(seq)
        except Exception:
            log.exception("the stream of stories broke off")
            for reader in self._readers:
                reader.cut()
        self._open.clear()

    async def _look_on(self, seq: int) -> None:
        moment = self._clock.now() - FRESH
        while self._readers:
            seq = self._find_new(seq)
            alone = self._telemetry.predictions.alone(before=LATEST, limit=MOST)
            fresh = [one for one in reversed(alone) if one.ts > moment]
            moment = max([moment, *(one.ts for one in fresh)])
            self._tell([*self._stories.answered(fresh), *self._changed()])
            await self._clock.sleep(BUSY if any(reader.allowance <= A_LOOK for reader in self._readers) else LOOK)
            await self._telemetry.flush()

    def _find_new(self, seq: int) -> int:
        """Open the stories behind `seq`; the last of them."""
        last = journal.last_seq(self._database.read())
        if last > seq:
            for event in reversed(journal.newest(self._database.read(), limit=min(last - seq, MOST))):
                self._open.setdefault(event.id, Row(event.id, event.accepted, ""))
            for id in list(self._open)[: max(len(self._open) - OPEN, 0)]:
                del self._open[id]
        return last

    def _take_up(self) -> list[str]:
        """What a page has shown as under way when it was made may be over before its stream is open: look again."""
        shown = [
            event
            for event in journal.newest(self._database.read(), limit=MOST)
            if event.finished is None or event.finished > self._clock.now() - FRESH
        ]
        self._open |= {event.id: Row(event.id, event.accepted, "") for event in shown if event.id not in self._open}
        return [event.id for event in shown]

    def _changed(self) -> list[Row]:
        """Those of the open stories that are not as they were told; who is settled is seen once more, then left."""
        moved = [
            event
            for event in journal.some(self._database.read(), list(self._open))
            if event.finished is not None or _place(event) != _place(self._open[event.id])
        ]
        rows = self._stories.of(moved)
        changed = [row for row in rows if row != self._open[row.id]]
        for row in rows:
            if row.is_settled and row == self._open[row.id]:
                del self._open[row.id]
            else:
                self._open[row.id] = row
        return changed

    def _tell(self, rows: list[Row]) -> None:
        pieces: dict[str, str] = {}

        def piece(row: Row) -> str:
            if row.id not in pieces:
                pieces[row.id] = json.dumps({"id": row.id, "html": self._write(row)})
            return pieces[row.id]

        for reader in self._readers:
            reader.tell(rows, piece)


def _place(story: Event | Row) -> tuple[str, int]:
    """How far it has come, as far as the journal's row alone tells."""
    return str(story.state), story.attempts
