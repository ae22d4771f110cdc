"""An event that waits for a worker: leased in the transaction that records the end of the attempt before it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from alight.errors.store import InsufficientStorage
from alight.events.attempts import Result, Target, Throttled
from alight.store import journal
from alight.store.database import FULL_DISK_SECONDS, Tx
from alight.store.journal import Event, State
from tests.unit.events.test_dispatch import FUNCTION, Bench, running

OTHER = FUNCTION + "-other"


class Staffed(Bench):
    """Workers that all functions share, and that say when they are free again."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.workers, self.busy, self.crowded = 1, 0, 0
        #: Calls that somebody waits for and that get the next worker.
        self.waiting = 0

    def spare(self, function: str) -> int:
        return max(self.workers - self.busy - self.waiting, 0)

    def target(self, function: str) -> Target | None:
        return Target(self.spare(function), (60.0,), self.disabled, self.tell, rings=True)

    async def invoke(self, event: Event) -> Result:
        if self.busy >= self.workers:
            self.crowded += 1
            raise Throttled
        self.busy += 1
        try:
            return await super().invoke(event)
        finally:
            self.busy -= 1
            self.dispatcher.freed(event.id)

    def hold(self, id: str) -> tuple[asyncio.Event, asyncio.Event]:
        """Set when its attempt has begun, and what that then waits for."""
        began, go_on = self.before_answer[id] = asyncio.Event(), asyncio.Event()
        return began, go_on

    async def done(self, count: int) -> None:
        await self.until(lambda: journal.books(self.database.read()).succeeded == count)

    @property
    def order(self) -> list[str]:
        return [event.id for event in self.seen]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Staffed]:
    async with running(tmp_path, Staffed) as made:
        await made.until(lambda: made.dispatcher._line._open)
        yield made
        await made.until(lambda: not made.dispatcher._line._kept and not made.dispatcher._working)


@contextmanager
def writer_busy(bench: Bench) -> Iterator[None]:
    """What is written meanwhile stands in line."""
    gate = threading.Event()
    holding = asyncio.create_task(bench.database.write(lambda tx: gate.wait(10)))
    try:
        yield
    finally:
        gate.set()
        holding.add_done_callback(lambda task: task.exception())


async def test_it_is_leased_as_the_end_of_the_one_before_is_recorded(bench: Staffed) -> None:
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2", "e3")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    second, go_further = bench.hold("e2")
    groups = bench.database.groups
    go_on.set()
    await second.wait()
    assert bench.database.groups == groups + 1, "one flush for an end and the next lease"
    event = journal.get(bench.database.read(), "e2")
    assert event is not None
    assert (event.state, event.leases, event.fence) == (State.RUNNING, 1, 1)
    assert bench.state("e1") is State.SUCCEEDED
    assert bench.state("e3") is State.PENDING
    go_further.set()
    await bench.done(3)
    assert bench.order == ["e1", "e2", "e3"]


async def test_a_failed_attempt_is_followed_too(bench: Staffed) -> None:
    bench.outcomes["e1"] = ["error"]
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    second, go_further = bench.hold("e2")
    groups = bench.database.groups
    go_on.set()
    await second.wait()
    assert bench.database.groups == groups + 1
    assert bench.state("e1") is State.PENDING
    go_further.set()
    await bench.done(1)


async def test_where_an_end_is_taken_back_nothing_follows_it(bench: Staffed) -> None:
    bench.publishes.failures.append(InsufficientStorage())
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    go_on.set()
    again = bench.clock.monotonic() + FULL_DISK_SECONDS
    await bench.until(lambda: again in [at for at, _ in bench.clock._sleepers])
    assert [bench.state("e1"), bench.state("e2")] == [State.RUNNING, State.PENDING]
    bench.clock.advance(FULL_DISK_SECONDS)
    await bench.done(2)
    assert bench.crowded == 0


async def test_an_end_that_cannot_be_recorded_gives_its_worker_back(bench: Staffed) -> None:
    bench.publishes.failures.append(ValueError("not to be said"))
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    go_on.set()
    await bench.done(1)
    assert bench.state("e1") is State.DEAD


async def test_a_long_queue_does_not_keep_another_function_waiting(bench: Staffed) -> None:
    began, go_on = bench.hold("e0")
    await bench.accept(*(f"e{number}" for number in range(8)))
    await began.wait()
    await bench.accept("other", function=OTHER)
    await bench.until(lambda: bench.dispatcher._line.starves(OTHER))
    go_on.set()
    await bench.done(9)
    assert bench.order.index("other") <= 2
    assert bench.crowded == 0


async def test_a_worker_that_is_kept_is_not_given_away(bench: Staffed) -> None:
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2", "e3")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    second, go_further = bench.hold("e2")
    with writer_busy(bench):
        go_on.set()
        await bench.until(lambda: bench.dispatcher._line._kept)
        bench.dispatcher.wake()
        await bench.until(lambda: bench.dispatcher._line._whole)
    await second.wait()
    await bench.database.write(lambda tx: None)
    assert bench.state("e3") is State.PENDING
    go_further.set()
    await bench.done(3)
    assert (bench.crowded, bench.order) == (0, ["e1", "e2", "e3"])


async def test_a_worker_that_somebody_waits_for_is_not_kept(bench: Staffed) -> None:
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    bench.waiting = 1
    go_on.set()
    await bench.done(1)
    await bench.database.write(lambda tx: None)
    assert bench.state("e2") is State.PENDING
    bench.waiting = 0
    bench.dispatcher.freed()
    await bench.done(2)
    assert bench.crowded == 0


@pytest.mark.parametrize("trouble", [apsw.CorruptError("database disk image is malformed"), ValueError("no JSON")])
async def test_an_end_is_recorded_where_the_next_one_cannot_be_read(
    bench: Staffed, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    lease, asked = journal.lease, list[str]()

    def unreadable_once(tx: Tx, function: str, limit: int, now: float) -> list[Event]:
        found = lease(tx, function, limit, now)
        asked.append(function)
        if len(asked) == 1:
            raise trouble
        return found

    monkeypatch.setattr(journal, "lease", unreadable_once)
    go_on.set()
    await bench.done(2)
    event = journal.get(bench.database.read(), "e2")
    assert event is not None
    assert (event.leases, event.attempts) == (1, 1), "what was done of its lease was taken back"
    assert (bench.state("e1"), bench.order) == (State.SUCCEEDED, ["e1", "e2"])


async def test_who_had_to_leave_it_looks_again(bench: Staffed) -> None:
    """A place that the other function might have had all the time, as its own limit is another."""
    bench.outcomes["other"] = ["error"]
    await bench.accept("other", function=OTHER)
    await bench.until(lambda: bench.waits("other", 1))
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves_alone(FUNCTION))
    second, go_further = bench.hold("e2")
    with writer_busy(bench):
        go_on.set()
        await bench.until(lambda: bench.dispatcher._line._kept)
        bench.clock.advance(60.0)
        await bench.until(lambda: bench.dispatcher._line.starves(OTHER))
        bench.workers = 2
    await second.wait()
    await bench.until(lambda: bench.state("other") is State.SUCCEEDED)
    go_further.set()
    await bench.done(3)


async def test_nothing_follows_once_the_dispatcher_has_ended(bench: Staffed) -> None:
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    await bench.end()
    go_on.set()
    await bench.dispatcher.close(grace=10)
    assert [bench.state("e1"), bench.state("e2")] == [State.SUCCEEDED, State.PENDING]
    assert bench.order == ["e1"]


async def test_one_that_is_kept_as_the_dispatcher_ends_is_followed_by_none(bench: Staffed) -> None:
    began, go_on = bench.hold("e1")
    await bench.accept("e1", "e2")
    await began.wait()
    await bench.until(lambda: bench.dispatcher._line.starves(FUNCTION))
    with writer_busy(bench):
        go_on.set()
        await bench.until(lambda: bench.dispatcher._line._kept)
        await bench.end()
    await bench.dispatcher.close(grace=10)
    assert [bench.state("e1"), bench.state("e2")] == [State.SUCCEEDED, State.PENDING]
    assert bench.order == ["e1"]
