"""A new event for which a worker waits: leased in the transaction that accepts it, and begun once that is durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.errors.store import InsufficientStorage
from alight.events.ended import LOOP
from alight.store import journal
from alight.store.database import Database, Reader, Tx
from alight.store.journal import NewEvent, State
from tests.unit.events.test_dispatch import FUNCTION, Bench, opened


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """The dispatcher has looked, and found nothing."""
    async with opened(tmp_path) as made:
        await made.until(lambda: made.dispatcher._line._open)
        made.at_hand = 4
        yield made


def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    look, lease = journal.functions_with_work, journal.lease

    def counted(reader: Reader) -> list[str]:
        asked.append("look")
        return look(reader)

    def leased(tx: Tx, function: str, limit: int, now: float) -> list[journal.Event]:
        asked.append("lease")
        return lease(tx, function, limit, now)

    monkeypatch.setattr(journal, "functions_with_work", counted)
    monkeypatch.setattr(journal, "lease", leased)
    return asked


async def test_it_is_leased_as_it_is_accepted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, groups = looks(monkeypatch), bench.database.groups
    began, go_on = bench.before_answer["e1"] = asyncio.Event(), asyncio.Event()
    await bench.accept("e1")
    await began.wait()
    assert bench.database.groups == groups + 1, "one flush for acceptance and lease"
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert (event.state, event.leases, event.fence, event.attempts) == (State.RUNNING, 1, 1, 0)
    assert bench.seen == [event]
    go_on.set()
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
    await bench.until(lambda: not bench.dispatcher._running)
    assert bench.database.groups == groups + 2
    assert asked == [], "nobody has asked the journal for work"
    assert bench.publishes.released == [("e1", 1)]
    assert bench.publishes.open == []


async def test_it_does_not_begin_before_it_is_durable(bench: Bench) -> None:
    def job(tx: Tx) -> None:
        now = bench.clock.now()
        bench.dispatcher.accept(tx, NewEvent("e1", FUNCTION, b"{}", {"kind": "test"}, now, now + 60))
        raise InsufficientStorage

    for _ in range(5):
        with pytest.raises(InsufficientStorage):
            await bench.database.write(job)
    assert bench.seen == []
    assert bench.dispatcher._line._taken == 0, "what was taken back holds no worker"
    await bench.accept("e1")
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
    assert bench.dispatcher._line._taken == 0


async def test_no_more_begin_than_workers_are_free(bench: Bench) -> None:
    bench.free, bench.at_hand = 0, 2
    await bench.accept(*(f"e{number}" for number in range(5)))
    states = [bench.state(f"e{number}") for number in range(5)]
    assert states == [State.RUNNING] * 2 + [State.PENDING] * 3
    bench.free = 3
    bench.dispatcher.freed()
    await bench.until(lambda: journal.books(bench.database.read()).succeeded == 5)


async def test_it_does_not_overtake_what_waits_for_a_worker(bench: Bench) -> None:
    bench.free = bench.at_hand = 0
    await bench.accept("first")
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    bench.at_hand = 4
    await bench.accept("second")
    await bench.accept("third", function=FUNCTION + "-other")
    assert [bench.state(id) for id in ("first", "second", "third")] == [State.PENDING] * 3
    bench.free = 4
    bench.dispatcher.freed()
    await bench.until(lambda: journal.books(bench.database.read()).succeeded == 3)
    assert [event.id for event in bench.seen if event.function == FUNCTION] == ["first", "second"]


async def test_a_retry_that_is_not_due_yet_keeps_nobody_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.outcomes["e1"] = ["error"]
    await bench.accept("e1")
    await bench.until(lambda: bench.dispatcher._line._due and bench.dispatcher._line._open)
    assert bench.waits("e1", 1)
    asked = looks(monkeypatch)
    await bench.accept("e2")
    await bench.until(lambda: bench.state("e2") is State.SUCCEEDED)
    assert asked == []
    bench.clock.advance(60)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_a_function_that_goes_in_that_moment_is_found_missing(bench: Bench) -> None:
    bench.known = False
    await bench.accept("e1")
    await bench.until(lambda: bench.state("e1") is State.DEAD)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert (event.error, event.attempts) == ({"reason": "FunctionNotFound"}, 0)
    assert bench.seen == []
    assert bench.publishes.open == []


async def test_one_too_many_of_a_loop_never_begins(bench: Bench) -> None:
    now = bench.clock.now()
    looping = NewEvent("e1", FUNCTION, b"{}", {"kind": "test", LOOP: True}, now, now + 60)
    await bench.database.write(lambda tx: bench.dispatcher.accept(tx, looping))
    await bench.until(lambda: bench.state("e1") is State.DEAD)
    assert bench.seen == []


async def test_a_worker_that_somebody_else_takes_first_is_waited_for(bench: Bench) -> None:
    bench.outcomes["e1"] = ["throttled"]
    await bench.accept("e1", retries=0)
    await bench.until(lambda: bench.waits("e1", 1))
    bench.clock.advance(0.05)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_a_clock_that_is_set_makes_it_no_older(bench: Bench) -> None:
    began, go_on = bench.before_answer["e1"] = asyncio.Event(), asyncio.Event()
    bench.outcomes["e1"] = ["error"]
    await bench.accept("e1", age=100)
    await began.wait()
    bench.clock.set_by(7200.0)
    go_on.set()
    await bench.until(lambda: bench.waits("e1", 1))
    bench.clock.advance(60)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_it_keeps_its_lease_where_the_process_ends_and_runs_after_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as first:
        await first.until(lambda: first.dispatcher._line._open)
        first.at_hand = 1
        began, _ = first.before_answer["e1"] = asyncio.Event(), asyncio.Event()
        await first.accept("e1")
        await began.wait()
    async with opened(tmp_path) as second:
        await second.until(lambda: second.state("e1") is State.SUCCEEDED)
        event = journal.get(second.database.read(), "e1")
        assert event is not None
        assert (event.leases, event.fence, event.attempts) == (2, 2, 1)


async def test_nothing_begins_once_the_dispatcher_has_ended(tmp_path: Path) -> None:
    database = await Database.open(tmp_path, ManualClock())
    bench = Bench(database, ManualClock())
    bench.at_hand = 4
    loop = asyncio.create_task(bench.dispatcher.run())
    await bench.until(lambda: bench.dispatcher._line._open)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await bench.accept("late")
    await bench.dispatcher.close()
    assert bench.state("late") is State.PENDING
    assert bench.seen == []
    await database.close()


async def test_what_has_its_worker_as_the_dispatcher_ends_begins_and_is_waited_for(bench: Bench) -> None:
    accepting = asyncio.create_task(bench.accept("e1"))
    # It stands in the writer's line by now.
    await asyncio.sleep(0)
    bench.dispatcher._line.shut()
    await bench.dispatcher.close(grace=5)
    await accepting
    assert bench.state("e1") in (State.SUCCEEDED, State.PENDING)
    assert len(bench.seen) == (bench.state("e1") is State.SUCCEEDED)
