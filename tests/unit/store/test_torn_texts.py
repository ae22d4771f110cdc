"""A bit turns a text into what is no UTF-8, or JSON into what is none: that row is set aside or mended, and no other
waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors.store import Torn
from alight.store import journal
from alight.store.chosen import dead, last_of_objects
from alight.store.database import Database
from alight.store.journal import Event, NewEvent, State
from alight.store.outbox import OutboxStore
from alight.store.queues import QueueStore
from alight.store.rows import Tx
from alight.store.verify import verify

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
TEXTS = ["x'ff'", "{0} || x'ff'", "x'ff' || {0}"]


@asynccontextmanager
async def opened(data: Path, damaged: list[str]) -> AsyncIterator[Database]:
    database = await Database.open(data, ManualClock())
    database.on_damage = lambda damage: damaged.append(damage.message)
    try:
        yield database
    finally:
        await database.close()


def tear(data: Path, table: str, column: str, written: str) -> None:
    """In the first row; `written` is an expression for the bytes that the text has from then on."""
    connection = apsw.Connection(str(data / "alight.db"))
    connection.create_scalar_function("row_crc", lambda *values: 0, deterministic=True)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    bytes = written.format(f"CAST({column} AS BLOB)")
    connection.execute(f"UPDATE {table} SET {column} = CAST({bytes} AS TEXT) WHERE rowid = 1")
    assert connection.changes() == 1
    connection.close()


async def accept(database: Database, *ids: str) -> None:
    now = database.clock.now()
    for id in ids:
        event = NewEvent(id, FUNCTION, b"{}", {"kind": "s3", "bucket": "b", "key": "k"}, now, now + 3600)
        await database.write(lambda tx, event=event: journal.accept(tx, event))  # type: ignore[misc]


async def fail_once(database: Database, id: str) -> None:
    now = database.clock.now()
    [event] = await database.write(lambda tx: journal.lease(tx, FUNCTION, 1, now))
    assert event.id == id
    assert await database.write(lambda tx: journal.retry(tx, event, now - 1, {"errorMessage": "no bird"}))


async def mended(database: Database) -> None:
    # The next turn of the loop asks for it.
    await asyncio.sleep(0)
    await database.write(lambda tx: None)


async def looked(database: Database) -> list[Event]:
    """What some looks of the dispatcher lease, as each is tried again."""
    now, leased = database.clock.now(), list[Event]()
    for _ in range(4):
        try:
            for function in journal.functions_with_work(database.read()):
                leased += await database.write(lambda tx, name=function: journal.lease(tx, name, 10, now))  # type: ignore[misc]
        except Torn:
            await mended(database)
    return leased


@pytest.mark.parametrize("written", TEXTS)
@pytest.mark.parametrize("column", ["id", "function", "source", "state", "error"])
async def test_a_torn_event_stops_no_other(tmp_path: Path, column: str, written: str) -> None:
    damaged: list[str] = []
    async with opened(tmp_path, damaged) as database:
        await accept(database, "e1")
        await fail_once(database, "e1")
        await accept(database, "e2")
    tear(tmp_path, "events", column, written)
    assert verify(tmp_path) != [] or column in ("error", "state")
    async with opened(tmp_path, damaged) as database:
        now = database.clock.now()
        await database.write(lambda tx: journal.recover(tx, now, 3600))
        ran = {event.seq for event in await looked(database)}
        second, first = journal.newest(database.read())
        assert (second.id, second.state) == ("e2", State.RUNNING)
        assert journal.books(database.read()).balanced
        assert [line for line in damaged if "journal" in line or "event" in line]
        if column == "error":
            # It is only what was said last: the event is whole.
            assert (ran, first.state, (first.error or {})["reason"]) == ({1, 2}, State.RUNNING, "Damaged")
        else:
            assert (ran, first.state, (first.error or {})["reason"]) == ({2}, State.DEAD, "Damaged")
            assert first.error is not None
            assert first.error["errorMessage"] == "no bird"
            assert (first.id == "e1") == (column != "id")
            found = dead(database.read(), function="", reason="Damaged", since=0, before=0, bucket="", prefix="")
            assert found == [first.id]
        assert last_of_objects(database.read(), "b", "") == []


async def test_what_runs_as_its_row_tears_is_a_dead_letter_that_no_attempt_decides(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as database:
        await accept(database, "e1")
        now = database.clock.now()
        [event] = await database.write(lambda tx: journal.lease(tx, FUNCTION, 1, now))
        tear(tmp_path, "events", "function", "{0} || x'ff'")
        with pytest.raises(Torn):
            journal.newest(database.read())
        await mended(database)
        [torn] = journal.newest(database.read())
        assert (torn.function, torn.state, torn.error) == (FUNCTION + r"\xff", State.DEAD, {"reason": "Damaged"})
        assert not await database.write(lambda tx: journal.succeed(tx, event, now, b"1"))


async def test_a_damaged_event_is_not_made_whole_by_a_redrive(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as database:
        await accept(database, "e1", "e2")
        tear(tmp_path, "events", "source", "x'ff'")
        assert [event.id for event in await looked(database)] == ["e2"]
        now = database.clock.now()
        assert not await database.write(lambda tx: journal.redrive(tx, "e1", now, now + 1))
        assert {event.id: event.state for event in journal.newest(database.read())}["e1"] is State.DEAD


def end(event: Event, state: State, tx: Tx) -> None:
    if state is State.DEAD:
        assert journal.give_up(tx, event, event.accepted + 1, {"reason": "R"}, attempted=True)
    else:
        assert journal.succeed(tx, event, event.accepted + 1, b"1")


@pytest.mark.parametrize("state", [State.DEAD, State.SUCCEEDED])
@pytest.mark.parametrize("column", ["id", "function", "source", "error"])
async def test_a_torn_event_that_has_ended_is_still_listed(tmp_path: Path, column: str, state: State) -> None:
    damaged: list[str] = []
    async with opened(tmp_path, damaged) as database:
        await accept(database, "e1", "e2")
        now = database.clock.now()
        for event in await database.write(lambda tx: journal.lease(tx, FUNCTION, 2, now)):
            await database.write(partial(end, event, state))
    tear(tmp_path, "events", column, "x'ff'")
    async with opened(tmp_path, damaged) as database:
        with pytest.raises(Torn):
            journal.newest(database.read())
        await mended(database)
        events = journal.newest(database.read())
        assert [event.seq for event in events] == [2, 1]
        assert {event.state for event in events} == {state}
        assert damaged != []


@pytest.mark.parametrize("column", ["error", "source"])
async def test_torn_json_stops_no_other(tmp_path: Path, column: str) -> None:
    damaged: list[str] = []
    async with opened(tmp_path, damaged) as database:
        await accept(database, "e1")
        await fail_once(database, "e1")
        await accept(database, "e2")
    tear(tmp_path, "events", column, """'{{"torn'""")
    async with opened(tmp_path, damaged) as database:
        now = database.clock.now()
        await database.write(lambda tx: journal.recover(tx, now, 3600))
        assert {event.id for event in await looked(database)} >= {"e2"}
        first = journal.newest(database.read())[-1]
        assert (first.error or {})["reason"] == "Damaged"
        assert first.state is (State.RUNNING if column == "error" else State.DEAD)
        assert damaged != []
        assert dead(database.read(), function="", reason="", since=0, before=0, bucket="b", prefix="") == []


@pytest.mark.parametrize(
    "column", ["message_id", "subscription", "protocol", "target", "reason", "last_error", "state"]
)
async def test_a_torn_delivery_stops_no_other(tmp_path: Path, column: str) -> None:
    damaged: list[str] = []
    async with opened(tmp_path, damaged) as database:
        store, now = OutboxStore(database), database.clock.now()
        for message in ("m1", "m2"):
            await database.write(
                lambda tx, message=message: store.add_delivery(  # type: ignore[misc]
                    tx, message, subscription="s", protocol="http", target="http://a/", raw=False, now=now
                )
            )
    tear(tmp_path, "deliveries", column, "x'ff'")
    async with opened(tmp_path, damaged) as database:
        store = OutboxStore(database)
        await database.write(lambda tx: store.recover(tx, now, now + 3600))
        try:
            store.due(now, [], [], 10)
        except Torn:
            await mended(database)
        assert "m2" in [one.message_id for one in store.due(now, [], [], 10)]
        assert damaged != []


@pytest.mark.parametrize("column", ["id", "queue", "body", "attributes", "sender", "receipt", "source", "chain"])
async def test_a_torn_message_stops_no_other(tmp_path: Path, column: str) -> None:
    damaged: list[str] = []
    async with opened(tmp_path, damaged) as database:
        store, now = QueueStore(database), database.clock.now()
        for id in ("m1", "m2"):
            await database.write(lambda tx, id=id: store.send(tx, "q", id, "a bird", {}, sender="me", sent=now))  # type: ignore[misc]
    tear(tmp_path, "queue_messages", column, "x'ff'")
    async with opened(tmp_path, damaged) as database:
        store, got = QueueStore(database), list[str]()
        for _ in range(3):
            try:
                taken = await database.write(
                    lambda tx: store.receive(tx, "q", now=now, visibility=30, oldest=0, limit=10, redrive=None)
                )
                got += [one.id for one in taken]
            except Torn:
                await mended(database)
        assert "m2" in got
        assert verify(tmp_path) != [] or column in ("receipt", "source", "chain")
