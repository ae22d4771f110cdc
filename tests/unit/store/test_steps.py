"""The wall clock is set under a database: what waits moves along once, whoever writes in between."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.errors.store import Damaged, InsufficientStorage
from alight.store import journal
from alight.store.connections import open_writer
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent
from alight.store.queues import QueuedMessage, QueueStore
from tests.crash.unsynced import ForgetfulDisk

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
DAY = 86_400.0

_names = (f"steps-{number}" for number in itertools.count())
both_ways = pytest.mark.parametrize("by", [-2 * DAY, 2 * DAY, 20 * 365 * DAY])


def read(database: Database, id: str) -> Event:
    event = journal.get(database.read(), id)
    assert event is not None
    return event


async def leased(database: Database, *ids: str) -> list[Event]:
    """Events that run."""
    now = database.clock.now()

    def job(tx: Tx) -> list[Event]:
        for id in ids:
            journal.accept(tx, NewEvent(id, FUNCTION, b"{}", {}, now, now + DAY))
        return journal.lease(tx, FUNCTION, len(ids), now)

    return await database.write(job)


@both_ways
async def test_what_waits_and_what_comes_back_in_that_moment_are_due_when_they_were(
    database: Database, clock: ManualClock, by: float
) -> None:
    before, ends, after = await leased(database, "before", "ends", "after")
    soon = clock.now() + 60
    await database.write(lambda tx: journal.retry(tx, before, soon, {}))
    clock.set_by(by)
    # Reckoned by the time before, and in the writer's line before the step is found.
    queued = asyncio.ensure_future(database.write(lambda tx: journal.retry(tx, ends, soon, {})))
    await asyncio.sleep(0)
    # Nobody has noticed the step: this is the first look.
    moment = clock.now() + 60
    await database.write(lambda tx: journal.retry(tx, after, moment, {}))
    await queued
    for id in ("before", "ends", "after"):
        event = read(database, id)
        assert (event.not_before - clock.now(), event.expires - clock.now()) == pytest.approx((60, DAY)), id


@both_ways
async def test_the_writer_has_the_time_of_the_rows(database: Database, clock: ManualClock, by: float) -> None:
    seen = []
    clock.set_by(by)
    first = asyncio.ensure_future(database.write(lambda tx: seen.append(clock.now())))
    await asyncio.sleep(0)
    await database.steps.settled()
    await database.write(lambda tx: seen.append(clock.now()))
    await first
    assert seen == [clock.monotonic(), clock.monotonic() + by]


@both_ways
async def test_a_message_stays_as_hidden_and_as_old_as_it_was(
    database: Database, clock: ManualClock, by: float
) -> None:
    queues = QueueStore(database)

    def take(tx: Tx) -> list[QueuedMessage]:
        now = clock.now()
        return queues.receive(tx, "q", now=now, visibility=30, oldest=now - DAY, limit=10, redrive=None)

    sent = clock.now()
    await database.write(lambda tx: queues.send(tx, "q", "m", "text", {}, sender="", sent=sent))
    assert len(await database.write(take)) == 1
    clock.set_by(by)
    await database.steps.settled()
    assert await database.write(take) == []
    clock.advance(31)
    [again] = await database.write(take)
    assert again.receives == 2
    assert clock.now() - again.sent == pytest.approx(31)


async def test_a_damaged_row_stays_damaged(database: Database, clock: ManualClock) -> None:
    await leased(database, "e")
    await database.write(lambda tx: tx._connection.execute("UPDATE events SET payload = x'00'"))
    clock.set_by(DAY)
    await database.steps.settled()
    with pytest.raises(Damaged):
        journal.get(database.read(), "e")


async def test_where_the_disk_is_full_the_step_is_found_again(tmp_path: Path) -> None:
    clock, disk = ManualClock(), ForgetfulDisk(next(_names))
    connect = partial(open_writer, vfs=disk.vfs_name)
    database = await Database.open(tmp_path / "data", clock, connect=connect)

    def due(tx: Tx) -> float | None:
        return journal.next_due(tx, FUNCTION)

    try:
        [event] = await leased(database, "e")
        soon = clock.now() + 60
        await database.write(lambda tx: journal.retry(tx, event, soon, {}))
        disk.full = True
        clock.set_by(DAY)
        clock.now()
        with pytest.raises(InsufficientStorage):
            await database.write(lambda tx: tx.run("records.put", kind="test", name="n", body="x" * 9000, now=1.0))
        disk.full = False
        assert await database.write(due) == soon
        await database.steps.settled()
        assert await database.write(due) == soon + DAY
    finally:
        disk.full = False
        await database.close()


async def test_how_much_older_a_moment_looks_than_it_is(database: Database, clock: ManualClock) -> None:
    moments = [clock.now()]
    for by in (-3600.0, 15 * 3600.0):
        clock.advance(5)
        clock.set_by(by)
        moments.append(clock.now())
        await database.steps.settled()
    clock.advance(5)
    assert list(map(clock.lost_since, moments)) == [14 * 3600.0, 15 * 3600.0, 0.0]
    assert clock.skipped() == 15 * 3600.0
