"""Old events are forgotten, dead ones are kept, and the books balance all the while."""

from __future__ import annotations

from pathlib import Path

from alight.clock import ManualClock
from alight.store import journal
from alight.store.database import Database, Tx
from alight.store.journal import NewEvent

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


async def test_handled_events_are_forgotten_after_their_time_and_dead_ones_never(tmp_path: Path) -> None:
    clock = ManualClock()
    database = await Database.open(tmp_path, clock)
    start = clock.now()

    def handle(tx: Tx) -> None:
        for number in range(10):
            now = start + number
            journal.accept(tx, NewEvent(f"e{number}", FUNCTION, b"{}", {}, now, now + 60))
            [event] = journal.lease(tx, FUNCTION, 1, now)
            if number % 3 == 0:
                journal.give_up(tx, event, now, {"reason": "RetriesExhausted"}, attempted=True)
            else:
                journal.succeed(tx, event, now, b"{}")

    await database.write(handle)
    place: int | None = 0
    forgotten = []
    while place is not None:
        rows, place = journal.old(database.read(), place, before=start + 8, limit=3)
        forgotten += [row["id"] for row in rows]
        await database.write(lambda tx, rows=rows: journal.forget(tx, rows))  # type: ignore[misc]
    assert forgotten == ["e1", "e2", "e4", "e5", "e7"]
    left = {event.id: event.state.value for event in journal.newest(database.read())}
    assert left == {"e9": "dead", "e8": "succeeded", "e6": "dead", "e3": "dead", "e0": "dead"}
    books = journal.books(database.read())
    assert books.balanced
    assert (books.accepted, books.succeeded, books.dead) == (5, 1, 4)
    await database.close()
