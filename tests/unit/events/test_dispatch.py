"""The dispatch loop on the real journal: every event ends once, retries wait, stale results change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from alight.clock import ManualClock
from alight.errors.lambda_ import ResourceNotFoundException
from alight.errors.store import InsufficientStorage
from alight.events.dispatch import Dispatcher, Result, Target, Throttled
from alight.events.ended import Deed, Ended
from alight.store import journal
from alight.store.database import Database, Reader, Tx
from alight.store.journal import Event, NewEvent, State
from alight.store.outbox import OutboxStore, StoredMessage

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:classify"


class Publishes:
    """Remembers which attempts' messages left and which vanished."""

    def __init__(self) -> None:
        self.released: list[tuple[str, int]] = []
        self.discarded: list[tuple[str, int]] = []
        self.failures: list[Exception] = []
        self.open: list[tuple[str, int]] = []

    def begin(self, event_id: str, fence: int) -> None:
        self.open.append((event_id, fence))

    def end(self, event_id: str, fence: int) -> None:
        self.open.remove((event_id, fence))

    def release(self, tx: Tx, event_id: str, fence: int) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.released.append((event_id, fence))

    def discard(self, tx: Tx, event_id: str, fence: int | None = None) -> None:
        self.discarded.append((event_id, fence or 0))


class Bench:
    """A journal, a clock that stands still, and a function whose answers the test decides."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.publishes = Publishes()
        self.outcomes: dict[str, list[str]] = {}
        self.seen: list[Event] = []
        self.free = 4
        #: Workers that are known in the writer's thread to be free.
        self.at_hand = 0
        self.known = True
        self.broken: set[str] = set()
        self.disabled = ""
        #: By event: set when its attempt has begun, and what it then waits for.
        self.before_answer: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self.ended: list[Ended] = []
        self.told: list[str] = []
        self.dropped: list[tuple[str, int]] = []
        self.loop: asyncio.Task[None]
        self.dispatcher = Dispatcher(
            database,
            clock,
            target=self.target,
            invoke=self.invoke,
            publishes=self.publishes,
            free=self.spare,
            dropped=lambda function, count: self.dropped.append((function, count)),
        )

    async def end(self) -> None:
        """The dispatcher's loop ends, as at SIGTERM."""
        self.loop.cancel()
        await asyncio.gather(self.loop, return_exceptions=True)

    def spare(self, function: str) -> int:
        return self.at_hand

    def target(self, function: str) -> Target | None:
        if function in self.broken:
            raise RuntimeError("the definition is damaged")
        return Target(self.free, (60.0, 120.0), self.disabled, self.tell) if self.known else None

    def tell(self, ended: Ended) -> Deed:
        self.ended.append(ended)
        return lambda tx: self.told.append(ended.event.id)

    async def invoke(self, event: Event) -> Result:
        self.seen.append(event)
        if event.id in self.before_answer:
            began, go_on = self.before_answer.pop(event.id)
            began.set()
            await go_on.wait()
        outcomes = self.outcomes.get(event.id)
        outcome = outcomes.pop(0) if outcomes else "ok"
        if outcome == "throttled":
            raise Throttled
        if outcome == "no process":
            raise BlockingIOError(11, "no process to be had")
        if outcome == "impossible":
            raise RuntimeError("the function has just gone")
        if outcome == "deleted":
            raise ResourceNotFoundException("Function not found: classify")
        payload = b'"done"' if outcome == "ok" else b'{"errorMessage":"no","errorType":"Boom"}'
        away = outcome == "turned away"
        return Result(outcome, payload, event.id, self.clock.now(), self.clock.now(), turned_away=away)

    async def accept(self, *ids: str, retries: int = 2, age: float = 21_600.0, function: str = FUNCTION) -> None:
        now = self.clock.now()

        def job(tx: Tx) -> None:
            for id in ids:
                self.dispatcher.accept(tx, NewEvent(id, function, b"{}", {"kind": "test"}, now, now + age, retries))

        await self.database.write(job)

    def state(self, id: str) -> State:
        event = journal.get(self.database.read(), id)
        assert event is not None
        return event.state

    def waits(self, id: str, seen: int) -> bool:
        """Whether it waits again after so many attempts of all."""
        return len(self.seen) == seen and self.state(id) is State.PENDING

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.002)
        assert journal.books(self.database.read()).balanced


AnyBench = TypeVar("AnyBench", bound=Bench)


@asynccontextmanager
async def running(folder: Path, kind: type[AnyBench]) -> AsyncIterator[AnyBench]:
    clock = ManualClock()
    database = await Database.open(folder, clock)
    bench = kind(database, clock)
    bench.loop = asyncio.create_task(bench.dispatcher.run())
    try:
        yield bench
    finally:
        await bench.end()
        await bench.dispatcher.close()
        await database.close()


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Bench]:
    async with running(folder, Bench) as bench:
        yield bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as made:
        yield made


async def test_an_accepted_event_runs_and_its_publishes_leave_with_its_result(bench: Bench) -> None:
    await bench.accept("e1")
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert (event.attempts, event.result) == (1, b'"done"')
    assert bench.publishes.released == [("e1", 1)]
    assert [attempt.outcome for attempt in journal.attempts(bench.database.read(), "e1")] == ["ok"]


async def test_what_an_attempt_publishes_is_held_while_it_runs(bench: Bench) -> None:
    began, go_on = bench.before_answer["e1"] = asyncio.Event(), asyncio.Event()
    bench.outcomes = {"e2": ["throttled", "error"]}
    await bench.accept("e1", "e2")
    await began.wait()
    assert ("e1", 1) in bench.publishes.open
    go_on.set()
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED and bench.waits("e2", 2))
    await bench.until(lambda: not bench.publishes.open)


async def test_what_an_attempt_published_that_is_given_up_at_the_end_stays_held(bench: Bench) -> None:
    """Its result may be on its way to the disk in the writer's thread."""
    began, _ = bench.before_answer["e1"] = asyncio.Event(), asyncio.Event()
    await bench.accept("e1")
    await began.wait()
    await bench.dispatcher.close()
    assert bench.publishes.open == [("e1", 1)]


async def test_a_failing_event_is_tried_three_times_at_lambdas_times_then_is_a_dead_letter(bench: Bench) -> None:
    bench.outcomes = {"e1": ["error", "timeout", "error"]}
    await bench.accept("e1")
    for attempt, delay in ((1, 60.0), (2, 120.0)):
        await bench.until(lambda attempt=attempt: len(bench.publishes.discarded) == attempt)  # type: ignore[misc]
        bench.clock.advance(delay - 1)
        await bench.accept(f"other{attempt}")
        await bench.until(lambda attempt=attempt: bench.state(f"other{attempt}") is State.SUCCEEDED)  # type: ignore[misc]
        assert bench.state("e1") is State.PENDING, "not before its time"
        bench.clock.advance(1)
        bench.dispatcher.wake()
    await bench.until(lambda: bench.state("e1") is State.DEAD)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert event.attempts == 3
    assert event.error == {"outcome": "error", "errorMessage": "no", "errorType": "Boom", "reason": "RetriesExhausted"}
    assert ("e1", 3) in bench.publishes.released, "the last attempt's messages leave"
    assert bench.publishes.discarded == [("e1", 1), ("e1", 2)]


async def test_throttling_waits_and_uses_up_no_attempt(bench: Bench) -> None:
    bench.outcomes = {"e1": ["throttled"] * 5}
    await bench.accept("e1", retries=0)
    for turn in range(1, 6):
        await bench.until(lambda turn=turn: len(bench.seen) == turn and bench.state("e1") is State.PENDING)  # type: ignore[misc]
        bench.clock.advance(300)
        bench.dispatcher.wake()
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert (event.attempts, event.leases) == (1, 6)


async def test_what_stands_in_its_way_on_this_side_uses_up_no_attempt(bench: Bench) -> None:
    bench.outcomes = {"e1": ["no process"] * 6}
    await bench.accept("e1", retries=0)
    waits = []
    for turn in range(1, 7):
        await bench.until(lambda turn=turn: len(bench.seen) == turn and bench.state("e1") is State.PENDING)  # type: ignore[misc]
        event = journal.get(bench.database.read(), "e1")
        assert event is not None
        assert event.error == {"errorType": "BlockingIOError", "errorMessage": "[Errno 11] no process to be had"}
        waits.append(event.not_before - bench.clock.now())
        bench.clock.advance(waits[-1])
        bench.dispatcher.wake()
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert (event.attempts, event.leases) == (1, 7)
    assert [wait // 2**turn for turn, wait in enumerate(waits)] == [1.0] * 6, "each twice as long, drawn out by chance"


async def test_what_is_throttled_for_as_long_as_it_may_is_a_dead_letter_that_says_why(bench: Bench) -> None:
    bench.outcomes = {"e1": ["no process"] * 9}
    await bench.accept("e1", age=60)
    async with asyncio.timeout(10):
        while bench.state("e1") is not State.DEAD:
            bench.clock.advance(1)
            await asyncio.sleep(0.001)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert event.error is not None
    assert (event.attempts, event.error["reason"], event.error["errorType"]) == (
        0,
        "EventAgeExceeded",
        "BlockingIOError",
    )
    assert [ended.condition for ended in bench.ended] == ["EventAgeExceeded"]


async def test_no_more_events_are_leased_than_workers_are_free(bench: Bench) -> None:
    bench.free = 0
    await bench.accept(*(f"e{n}" for n in range(10)))
    await bench.accept("last")
    assert journal.books(bench.database.read()).pending == 11
    bench.free = 3
    bench.dispatcher.wake()
    await bench.until(lambda: journal.books(bench.database.read()).succeeded == 11)
    assert [event.id for event in bench.seen][:3] == ["e0", "e1", "e2"], "oldest first"


async def test_a_worker_that_becomes_free_is_told_of_only_where_an_event_waits_for_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    ask = journal.functions_with_work

    def counted(reader: Reader) -> list[str]:
        looks.append(1)
        return ask(reader)

    monkeypatch.setattr(journal, "functions_with_work", counted)
    bench.free = 0
    await bench.accept("e1")
    await bench.until(lambda: looks)
    bench.free = 1
    bench.dispatcher.freed()
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
    await bench.until(lambda: not bench.dispatcher._running)
    await asyncio.sleep(0.02)
    seen = len(looks)
    for _ in range(20):
        bench.dispatcher.freed()
        await asyncio.sleep(0)
    assert len(looks) == seen, "nothing waits: no question to the journal for each call that ends"


async def test_an_event_of_a_function_that_is_gone_is_a_dead_letter_with_its_reason(bench: Bench) -> None:
    bench.known = False
    await bench.accept("e1")
    await bench.until(lambda: bench.state("e1") is State.DEAD)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert event.error == {"reason": "FunctionNotFound"}
    assert bench.publishes.discarded == [("e1", 0)], "what an attempt has staged that a crash cut off"
    assert event.fence == 1, "no attempt has decided, whatever it publishes late"
    bench.known = True
    now = bench.clock.now()
    assert await bench.database.write(lambda tx: journal.redrive(tx, "e1", now, now + 60))
    bench.dispatcher.wake()
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_an_event_that_waited_too_long_is_given_up_without_running(bench: Bench) -> None:
    bench.free = 0
    await bench.accept("e1", age=60)
    bench.clock.advance(61)
    bench.free = 1
    bench.dispatcher.wake()
    await bench.until(lambda: bench.state("e1") is State.DEAD)
    assert bench.seen == []


async def test_the_late_result_of_a_lost_lease_changes_nothing(bench: Bench) -> None:
    bench.free = 0
    await bench.accept("e1")
    now = bench.clock.now()
    [first] = await bench.database.write(lambda tx: journal.lease(tx, FUNCTION, 1, now))
    await bench.database.write(lambda tx: journal.recover(tx, now, 60))
    [second] = await bench.database.write(lambda tx: journal.lease(tx, FUNCTION, 1, now))
    assert not await bench.database.write(lambda tx: journal.succeed(tx, first, now, b"late"))
    assert await bench.database.write(lambda tx: journal.succeed(tx, second, now, b"in time"))
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert event.result == b"in time"


async def test_what_was_running_at_a_crash_runs_again_with_its_attempts_intact(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        bench.free = 0
        await bench.accept("e1")
        now = bench.clock.now()
        await bench.database.write(lambda tx: journal.lease(tx, FUNCTION, 1, now))
    async with opened(tmp_path) as bench:
        await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
        event = journal.get(bench.database.read(), "e1")
        assert event is not None
        assert (event.attempts, event.leases) == (1, 2)


async def test_a_damaged_event_is_buried_and_does_not_stop_the_others(bench: Bench) -> None:
    bench.free = 0
    await bench.accept("bad", "good")
    await bench.database.write(lambda tx: tx._connection.execute("UPDATE events SET payload = x'00' WHERE id = 'bad'"))
    # An attempt that a crash has cut off had published.
    rows = OutboxStore(bench.database)
    staged = StoredMessage(
        "m", "Notification", "topic", "", None, "body", "", {}, "", "bad", 1, 0, None, "staged", 1.0, None
    )  # fmt: skip
    await bench.database.write(lambda tx: rows.add_message(tx, staged))
    bench.free = 1
    bench.dispatcher.wake()
    await bench.until(lambda: bench.state("good") is State.SUCCEEDED)
    assert [event.id for event in bench.seen] == ["good"]
    message = rows.message("m")
    assert message is not None
    assert message.state == "discarded"
    books = journal.books(bench.database.read())
    assert (books.succeeded, books.dead) == (1, 1)


@pytest.mark.parametrize("column", ["id", "function", "source", "error"])
async def test_an_event_whose_text_cannot_be_read_does_not_stop_the_others(bench: Bench, column: str) -> None:
    bench.free = 0
    await bench.accept("bad", "good")
    await bench.accept("other", function=FUNCTION + "-other")
    torn = f"UPDATE events SET {column} = CAST(x'ff' AS TEXT) WHERE id = 'bad'"
    await bench.database.write(lambda tx: tx._connection.execute(torn))
    bench.free = 3
    bench.dispatcher.wake()
    await bench.until(lambda: {"good", "other"} <= {event.id for event in bench.seen})
    await bench.until(lambda: journal.functions_with_work(bench.database.read()) == [])
    bad = journal.newest(bench.database.read())[-1]
    if column == "error":
        await bench.until(lambda: bench.state("bad") is State.SUCCEEDED)
    else:
        assert (bad.state, bad.error) == (State.DEAD, {"reason": "Damaged"})


async def test_a_long_queue_leaves_workers_to_the_others(bench: Bench) -> None:
    other = FUNCTION.replace("classify", "zebra")
    bench.free = 0
    await bench.accept(*(f"a{n}" for n in range(20)))
    now = bench.clock.now()
    await bench.database.write(
        lambda tx: journal.accept(tx, NewEvent("z", other, b"{}", {"kind": "test"}, now, now + 60))
    )
    bench.free = 2
    bench.dispatcher.wake()
    await bench.until(lambda: bool(bench.seen) and bench.state("z") is State.SUCCEEDED)
    assert [event.id for event in bench.seen].index("z") <= 2


async def test_that_a_function_was_deleted_is_one_line_of_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.outcomes = {"e1": ["deleted"], "e2": ["impossible"]}
    await bench.accept("e1", "e2", retries=0)
    await bench.until(lambda: {bench.state("e1"), bench.state("e2")} == {State.DEAD})
    said = {record.getMessage(): record.exc_info for record in caplog.records}
    assert said.pop(f"event e1 not handed to {FUNCTION}: Function not found: classify") is None
    [(of_ours, trace)] = said.items()
    assert of_ours == f"event e2 not handed to {FUNCTION}: the function has just gone"
    assert trace is not None


async def test_an_event_that_cannot_be_handed_over_is_a_failed_attempt_and_not_stuck(bench: Bench) -> None:
    bench.outcomes = {"e1": ["impossible"], "e2": ["impossible"]}
    await bench.accept("e1")
    await bench.accept("e2", retries=0)
    await bench.until(lambda: bench.state("e2") is State.DEAD)
    event = journal.get(bench.database.read(), "e2")
    assert event is not None
    assert event.error is not None
    assert (event.error["errorType"], event.error["reason"]) == ("RuntimeError", "RetriesExhausted")
    await bench.until(lambda: bench.state("e1") is State.PENDING)
    bench.clock.advance(60)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_what_falls_due_during_a_look_is_seen_by_the_next_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.outcomes = {"e1": ["error"]}
    look = bench.dispatcher._line.look

    def slow_after_the_failure(reader: Reader) -> dict[str, float]:
        found = look(reader)
        if bench.seen and bench.state("e1") is State.PENDING:
            monkeypatch.setattr(bench.dispatcher._line, "look", look)
            bench.clock.advance(60)
        return found

    monkeypatch.setattr(bench.dispatcher._line, "look", slow_after_the_failure)
    await bench.accept("e1")
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_a_result_waits_for_room_on_the_disk(bench: Bench) -> None:
    bench.publishes.failures = [InsufficientStorage(), InsufficientStorage()]
    await bench.accept("e1")
    for left in (1, 0):
        await bench.until(lambda left=left: len(bench.publishes.failures) == left)  # type: ignore[misc]
        assert bench.state("e1") is State.RUNNING
        # Whoever has met the full disk sleeps for a second.
        await bench.until(lambda: bench.clock.monotonic() + 1 in [at for at, _ in bench.clock._sleepers])
        bench.clock.advance(1)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)
    assert len(bench.seen) == 1, "it did not run again"


async def test_a_disk_that_is_full_at_the_start_does_not_end_the_dispatcher(tmp_path: Path) -> None:
    database = await Database.open(tmp_path, ManualClock())
    bench, write, refused = Bench(database, ManualClock()), database.write, list[object]()

    async def full_once(job: Callable[[Tx], object]) -> object:
        if not refused:
            refused.append(job)
            raise InsufficientStorage
        return await write(job)

    database.write = full_once  # type: ignore[method-assign, assignment]
    loop = asyncio.create_task(bench.dispatcher.run())
    await bench.until(lambda: refused)
    await asyncio.sleep(0)
    assert isinstance(database.clock, ManualClock)
    database.clock.advance(1)
    await bench.accept("e1")
    await bench.until(lambda: loop.done() or bench.state("e1") is State.SUCCEEDED)
    loop.cancel()
    await asyncio.wait([loop])
    assert loop.cancelled(), "it would have gone on"
    await bench.dispatcher.close()
    await database.close()


async def test_a_result_that_cannot_be_recorded_is_a_dead_letter(bench: Bench) -> None:
    bench.publishes.failures = [RuntimeError("a fault of ours")]
    await bench.accept("e1")
    # It is told after the commit, which a reader sees first.
    await bench.until(lambda: bench.state("e1") is State.DEAD and bench.dropped)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    assert event.error == {"reason": "NotRecorded", "errorType": "RuntimeError", "errorMessage": "a fault of ours"}
    assert bench.publishes.discarded == [("e1", 0)], "what it has staged does not wait for ever"
    assert bench.dropped == [(FUNCTION, 1)]


async def test_what_the_last_attempt_has_said_stays_beside_the_reason(bench: Bench) -> None:
    bench.outcomes["e1"] = ["error"]
    await bench.accept("e1")
    await bench.until(lambda: bench.waits("e1", 1))
    bench.known = False
    bench.clock.advance(60)
    await bench.until(lambda: bench.state("e1") is State.DEAD)
    event = journal.get(bench.database.read(), "e1")
    assert event is not None
    said = {"outcome": "error", "errorMessage": "no", "errorType": "Boom"}
    assert event.error == said | {"reason": "FunctionNotFound"}


async def test_one_function_that_cannot_be_served_does_not_stop_the_others(bench: Bench) -> None:
    damaged = FUNCTION + "-damaged"
    bench.broken.add(damaged)
    await bench.accept("e1", function=damaged)
    await bench.accept("e2")
    await bench.until(lambda: bench.state("e2") is State.SUCCEEDED)
    assert bench.state("e1") is State.PENDING
    bench.broken.clear()
    await asyncio.sleep(0.02)
    bench.clock.advance(5)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_a_function_that_comes_back_before_its_retry_falls_due_gets_it_in_time(bench: Bench) -> None:
    bench.outcomes = {"e1": ["error"]}
    await bench.accept("e1")
    await bench.until(lambda: bench.publishes.discarded == [("e1", 1)])
    bench.known = False
    bench.dispatcher.wake()
    await asyncio.sleep(0.05)
    bench.known = True
    bench.clock.advance(60)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_a_clock_that_is_set_back_does_not_freeze_what_waits(bench: Bench) -> None:
    bench.outcomes = {"retried": ["error"]}
    await bench.accept("retried")
    await bench.until(lambda: bench.publishes.discarded == [("retried", 1)])
    bench.free = 0
    await bench.accept("new")
    bench.clock.set_by(-7200.0)
    bench.free = 4
    bench.dispatcher.wake()
    await bench.until(lambda: bench.state("new") is State.SUCCEEDED)
    assert bench.state("retried") is State.PENDING
    bench.clock.advance(60)
    await bench.until(lambda: bench.state("retried") is State.SUCCEEDED)


@pytest.mark.parametrize("by", [-7200.0, 7200.0])
async def test_a_retry_comes_in_its_time_where_the_clock_is_set_while_its_attempt_runs(bench: Bench, by: float) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    bench.outcomes = {"e1": ["error"]}
    bench.before_answer["e1"] = began, go_on
    await bench.accept("e1", age=3600.0)
    await began.wait()
    bench.clock.set_by(by)
    go_on.set()
    await bench.until(lambda: bench.publishes.discarded == [("e1", 1)])
    await bench.database.steps.settled()
    bench.clock.advance(59)
    await bench.accept("other")
    await bench.until(lambda: bench.state("other") is State.SUCCEEDED)
    assert bench.state("e1") is State.PENDING
    bench.clock.advance(1)
    await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_a_start_with_a_clock_of_the_past_runs_what_was_accepted(tmp_path: Path) -> None:
    clock = ManualClock()
    database = await Database.open(tmp_path, clock)
    new = NewEvent("e1", FUNCTION, b"{}", {}, clock.now() + 7200, clock.now() + 9000)
    await database.write(lambda tx: journal.accept(tx, new))
    await database.close()
    async with opened(tmp_path) as bench:
        await bench.until(lambda: bench.state("e1") is State.SUCCEEDED)


async def test_the_end_of_an_event_is_told_once_and_no_retry_is(bench: Bench) -> None:
    bench.outcomes = {"a": ["error", "ok"], "b": ["error"]}
    await bench.accept("a", retries=1)
    await bench.accept("b", retries=0)
    await bench.until(lambda: bench.state("b") is State.DEAD and bench.state("a") is State.PENDING)
    assert bench.told == ["b"]
    bench.clock.advance(61)
    await bench.until(lambda: bench.state("a") is State.SUCCEEDED)
    assert bench.told == ["b", "a"]
    assert [(one.condition, one.attempts) for one in bench.ended] == [("RetriesExhausted", 1), ("Success", 2)]
    assert bench.ended[1].payload == b'"done"'


async def test_a_late_result_tells_nobody(bench: Bench) -> None:
    """The lease has gone to somebody else meanwhile."""
    taken = asyncio.Event()

    async def invoke(event: Event) -> Result:
        await bench.database.write(lambda tx: journal.recover(tx, bench.clock.now(), 0.0))
        bench.free = 0
        taken.set()
        return Result("ok", b"1", event.id, 0.0, 0.0)

    bench.dispatcher._invoke = invoke
    await bench.accept("a")
    await taken.wait()
    await bench.until(lambda: bool(bench.ended))
    await bench.database.write(lambda tx: None)
    assert (bench.state("a"), bench.told) == (State.PENDING, [])


async def test_events_of_a_function_that_is_switched_off_are_told_of_untried(bench: Bench) -> None:
    bench.free, bench.disabled = 0, "ZeroReservedConcurrency"
    await bench.accept(*(str(number) for number in range(130)))
    await bench.until(lambda: len(bench.told) == 130)
    assert {(one.condition, one.attempts, one.payload) for one in bench.ended} == {("ZeroReservedConcurrency", 0, None)}
    assert bench.seen == []


async def test_a_telling_that_cannot_be_prepared_does_not_undo_the_end(bench: Bench) -> None:
    def tell(ended: Ended) -> Deed:
        raise RuntimeError("the record is damaged")

    bench.tell = tell  # type: ignore[method-assign]
    await bench.accept("a")
    await bench.until(lambda: bench.state("a") is State.SUCCEEDED)


async def test_an_attempt_that_was_turned_away_is_none(tmp_path: Path) -> None:
    """It comes again after a second, later and later; what it staged is gone; its age ends it like any other."""
    async with opened(tmp_path) as bench:
        bench.outcomes["a"] = ["turned away"] * 3
        await bench.accept("a", retries=0)
        for seen in (1, 2, 3):
            await bench.until(partial(bench.waits, "a", seen))
            assert len(bench.publishes.discarded) == seen
            bench.clock.advance(2.0 ** (seen - 1) - 0.1)
            await bench.database.write(lambda tx: None)
            assert len(bench.seen) == seen, "it came too early"
            bench.clock.advance(0.1 + 2.0 ** (seen - 1) * 0.25)
        await bench.until(lambda: bench.state("a") is State.SUCCEEDED)
        event = journal.get(bench.database.read(), "a")
        assert event is not None
        assert (event.attempts, event.leases) == (1, 4)
        bench.outcomes["old"] = ["turned away"] * 100
        await bench.accept("old", age=60.0)
        for _ in range(10):
            await bench.until(lambda: bench.state("old") is not State.RUNNING)
            bench.clock.advance(40.0)
        await bench.until(lambda: bench.state("old") is State.DEAD)
        event = journal.get(bench.database.read(), "old")
        assert event is not None
        assert event.error is not None
        assert event.error["reason"] == "EventAgeExceeded"
