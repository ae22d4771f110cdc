"""A bit turns over in what a pending row changes, or in the index by which it is found: it comes to light, and nothing
runs for ever, waits for ever, or is told twice for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.store import journal
from alight.store.connections import open_writer
from alight.store.database import Database
from alight.store.journal import NewEvent, State
from alight.store.migrations import MIGRATIONS, migrate
from alight.store.outbox import DeliveryState, OutboxStore
from alight.store.rows import Tx
from alight.store.statements import load_statements
from alight.store.verify import verify

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


@asynccontextmanager
async def opened(data: Path, damaged: list[str]) -> AsyncIterator[Database]:
    database = await Database.open(data, ManualClock())
    database.on_damage = lambda damage: damaged.append(damage.key)
    try:
        yield database
    finally:
        await database.close()


def flip(data: Path, place: bytes, state: str) -> None:
    """One bit of the state's first letter, where the place (an expression, with the state in it) fits."""
    file = data / "alight.db"
    held = bytearray(file.read_bytes())
    [found] = re.finditer(place % state.encode(), held)
    held[found.start()] ^= 1
    file.write_bytes(held)


async def accept(database: Database, id: str) -> None:
    now = database.clock.now()
    event = NewEvent(id, FUNCTION, b"{}", {"kind": "test"}, now, now + 3600)
    await database.write(lambda tx: journal.accept(tx, event))


async def looked(database: Database) -> list[str]:
    """What a start and some looks of the dispatcher make of it: the events that run."""
    now = database.clock.now()
    await database.write(lambda tx: journal.recover(tx, now, 3600))
    leased = [await database.write(lambda tx: journal.lease(tx, FUNCTION, 10, now)) for _ in range(3)]
    return [event.id for look in leased for event in look]


@pytest.mark.parametrize("state", ["pending", "running"])
@pytest.mark.parametrize("place", [rb'(?<="test"})%b', rb"%b(?=arn:)"], ids=["in its row", "in the index"])
async def test_an_event_in_a_state_that_there_is_not(tmp_path: Path, place: bytes, state: str) -> None:
    damaged: list[str] = []
    async with opened(tmp_path, damaged) as database:
        await accept(database, "e1")
        if state == "running":
            now = database.clock.now()
            assert await database.write(lambda tx: journal.lease(tx, FUNCTION, 1, now))
    flip(tmp_path, place, state)
    assert verify(tmp_path) != []
    async with opened(tmp_path, damaged) as database:
        await accept(database, "e2")
        ran = await looked(database)
        event = journal.get(database.read(), "e1")
        assert event is not None
        assert journal.books(database.read()).balanced
    assert verify(tmp_path) == []
    if b"?<=" in place:
        # The row is what counts: nobody knows any more what it was.
        assert (ran, event.state, event.error) == (["e2"], State.DEAD, {"reason": "Damaged"})
        assert damaged == [f"e1 {FUNCTION}"]
    else:
        assert (sorted(ran), event.state, damaged) == (["e1", "e2"], State.RUNNING, [])


@pytest.mark.parametrize("name", ["journal.unknown", "outbox.unknown"])
def test_a_start_reads_no_list_of_all_there_was(tmp_path: Path, name: str) -> None:
    connection = open_writer(tmp_path / "alight.db")
    migrate(connection, MIGRATIONS)
    sql = load_statements()[name].sql
    plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    connection.close()
    assert [step for step in plan if step.startswith("SEARCH ")]
    assert not [step for step in plan if step.startswith("SCAN ")], plan


async def test_any_bit_of_a_state_is_noticed(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as database:
        store, now = OutboxStore(database), database.clock.now()
        await accept(database, "e1")
        await database.write(
            lambda tx: store.add_delivery(
                tx, "m", subscription="s", protocol="http", target="http://a/", raw=False, now=now
            )
        )

        def missed(tx: Tx) -> list[str]:
            found = []
            database._connection.execute("PRAGMA ignore_check_constraints = ON")
            for table, name, states in (
                ("events", "journal.unknown", list(State)), ("deliveries", "outbox.unknown", list(DeliveryState)),
            ):  # fmt: skip
                for written in (*states, *(wrong for state in states for wrong in flipped(state))):
                    database._connection.execute(f"UPDATE {table} SET state = ?", (str(written),))
                    if bool(tx.one(name)) == (written in states):
                        found.append(f"{table}: {written}")
            return found

        assert await database.write(missed) == []


def flipped(state: str) -> list[str]:
    return [
        state[:place] + chr(ord(letter) ^ 1 << bit) + state[place + 1 :]
        for place, letter in enumerate(state)
        for bit in range(7)
    ]


@pytest.mark.parametrize("state", ["ready", "sending"])
@pytest.mark.parametrize("place", [rb"(?<=http://a/)%b", rb"(?<![/'])%b(?!')"], ids=["in its row", "in the index"])
async def test_a_delivery_in_a_state_that_there_is_not(tmp_path: Path, place: bytes, state: str) -> None:
    damaged: list[str] = []
    async with opened(tmp_path, damaged) as database:
        store, now = OutboxStore(database), database.clock.now()
        made = await database.write(
            lambda tx: store.add_delivery(
                tx, "m", subscription="s", protocol="http", target="http://a/", raw=False, now=now,
                state=DeliveryState(state),
            )
        )  # fmt: skip
    flip(tmp_path, place, state)
    assert verify(tmp_path) != []
    async with opened(tmp_path, damaged) as database:
        store, leased = OutboxStore(database), list[bool]()
        await database.write(lambda tx: store.recover(tx, now, now + 3600))
        for _ in range(3):
            due = store.due(now, [], [], 10)
            leased += [await database.write(lambda tx, one=one: store.lease(tx, one.id, now)) for one in due]  # type: ignore[misc]
        found = store.delivery(made.id)
        assert found is not None
    assert verify(tmp_path) == []
    if b"?<=" in place:
        assert (found.state, found.reason, found.uncertain) == (DeliveryState.DEAD, "Damaged", True)
        assert True not in leased
        assert damaged == [f"{made.id} m"]
    else:
        assert (found.state, leased, damaged) == (DeliveryState.SENDING, [True], [])
