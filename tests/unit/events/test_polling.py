"""The reader of a queue on a real one: batches are taken only for a free worker, and nothing is lost or burnt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from alight.calls import Call, Principal
from alight.clock import ManualClock
from alight.events.dispatch import Throttled
from alight.events.polling import RESPITE, Batching, Handled, Poller
from alight.names import queue_arn
from alight.services.sqs import Sqs
from alight.store.database import Database
from alight.store.queues import QueuedMessage
from alight.store.records import Records

QUEUE = queue_arn("sightings")
ROOT = Principal("root", "arn:aws:iam::000000000000:root", "AIDAROOT")


class Bench:
    """A queue, a clock that stands still, and a function that the test lets go on."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.sqs = Sqs(database, Records(database), clock)
        self.free = 1
        self.throttled = False
        self.holds = False
        self.go = asyncio.Event()
        self.seen: list[list[str]] = []
        self.receives: list[int] = []
        self.fails: set[str] = set()

    def poller(self, **batching: float) -> Poller:
        return Poller(
            Batching(QUEUE, **batching),  # type: ignore[arg-type]
            self.sqs.consumer,
            self.clock,
            free=lambda: self.free,
            hand_over=self.hand_over,
        )

    async def hand_over(self, messages: list[QueuedMessage]) -> Handled:
        if self.throttled:
            raise Throttled
        self.free -= 1
        self.seen.append([message.body for message in messages])
        self.receives += [message.receives for message in messages]
        if self.holds:
            await self.go.wait()
        self.free += 1
        return Handled(done=[message for message in messages if message.body not in self.fails])

    async def call(self, operation: str, **given: object) -> None:
        await self.sqs.operations()["sqs", operation](Call("sqs", operation, "r", ROOT), given)

    async def send(self, *bodies: str) -> None:
        for body in bodies:
            await self.call("SendMessage", QueueUrl="http://h/0/sightings", MessageBody=body)

    def left(self) -> int:
        row = self.database.read().one("queues.counts", queue="sightings", now=1e12, oldest=0.0)
        return int(row["visible"]) if row else 0

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.002)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock()
    database = await Database.open(tmp_path, clock)
    made = Bench(database, clock)
    await made.call("CreateQueue", QueueName="sightings", Attributes={"VisibilityTimeout": "30"})
    yield made
    await database.close()


async def test_what_waits_is_handed_over_in_batches_and_deleted(bench: Bench) -> None:
    await bench.send("1", "2", "3")
    poller = bench.poller(size=2)
    await bench.until(lambda: bench.left() == 0)
    await bench.send("4")
    await bench.until(lambda: len(bench.seen) == 3 and bench.left() == 0)
    assert bench.seen == [["1", "2"], ["3"], ["4"]]
    await poller.stop()


async def test_a_busy_function_leaves_messages_where_they_are(bench: Bench) -> None:
    bench.holds = True
    await bench.send("1", "2")
    poller = bench.poller(size=1)
    await bench.until(lambda: bool(bench.seen) and bool(bench.clock._sleepers))
    assert bench.seen == [["1"]]
    bench.holds = False
    bench.go.set()
    await bench.until(lambda: bench.left() == 0)
    assert bench.receives == [1, 1]
    await poller.stop()


async def test_throttling_burns_no_receive(bench: Bench) -> None:
    bench.throttled = True
    await bench.send("1")
    poller = bench.poller()
    for _ in range(3):
        await bench.until(lambda: poller._rests_until > bench.clock.monotonic() and bool(bench.clock._sleepers))
        bench.clock.advance(RESPITE + 0.01)
    bench.throttled = False
    await bench.until(lambda: bench.left() == 0)
    assert bench.receives == [1]
    await poller.stop()


async def test_what_failed_shows_up_when_its_time_of_hiding_ends(bench: Bench) -> None:
    bench.fails = {"bad"}
    poller = bench.poller()
    await bench.send("bad")
    await bench.until(lambda: bool(bench.seen) and bool(bench.clock._sleepers))
    bench.clock.advance(29)
    await asyncio.sleep(0.02)
    assert len(bench.seen) == 1
    bench.fails = set()
    bench.clock.advance(2)
    await bench.until(lambda: bench.left() == 0)
    assert bench.receives == [1, 2]
    await poller.stop()


async def test_a_window_gathers_and_a_full_batch_does_not_wait(bench: Bench) -> None:
    poller = bench.poller(size=2, window=5)
    await bench.send("1")
    await bench.until(lambda: poller._gathering_since is not None)
    assert bench.seen == []
    await bench.send("2")
    await bench.until(lambda: bench.seen == [["1", "2"]])
    await bench.send("3")
    await bench.until(lambda: poller._gathering_since is not None and bool(bench.clock._sleepers))
    bench.clock.advance(5.1)
    await bench.until(lambda: bench.seen == [["1", "2"], ["3"]])
    await poller.stop()


async def test_as_many_batches_at_a_time_as_it_says(bench: Bench) -> None:
    bench.free, bench.holds = 10, True
    poller = bench.poller(size=1, most=2)
    await bench.send("1", "2", "3")
    await bench.until(lambda: len(bench.seen) == 2)
    await bench.send("4")
    assert len(bench.seen) == 2
    bench.go.set()
    await bench.until(lambda: bench.left() == 0)
    await poller.stop()


async def test_a_stop_gives_back_what_has_not_ended(bench: Bench) -> None:
    bench.holds = True
    poller = bench.poller()
    await bench.send("1")
    await bench.until(lambda: bool(bench.seen))
    await poller.close(0.01)
    assert bench.sqs.consumer.visible(QUEUE, 10) == 1
    bench.holds, bench.free = False, 1
    again = bench.poller()
    await bench.until(lambda: bench.left() == 0)
    assert bench.receives == [1, 1]
    await again.stop()


async def test_a_window_that_is_over_does_not_begin_anew_for_a_busy_function(bench: Bench) -> None:
    bench.free = 0
    poller = bench.poller(size=5, window=5)
    await bench.send("1")
    await bench.until(lambda: poller._gathering_since is not None and bool(bench.clock._sleepers))
    bench.clock.advance(5.1)
    await bench.until(lambda: bool(bench.clock._sleepers))
    bench.free = 1
    poller.wake()
    await bench.until(lambda: bench.seen == [["1"]])
    await poller.stop()


async def test_what_shows_up_during_a_look_is_not_slept_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = type(bench.sqs.consumer)
    asked = consumer.visible

    def visible(self: object, arn: str, limit: int) -> int:
        there = asked(self, arn, limit)  # type: ignore[arg-type]
        if len(bench.seen) == 1 and not there and not poller._running and bench.fails:
            bench.fails.clear()
            bench.clock.advance(31)  # its time of hiding ends right behind the question
        return there

    monkeypatch.setattr(consumer, "visible", visible)
    bench.fails = {"1"}
    await bench.send("1")
    poller = bench.poller()
    await bench.until(lambda: bench.seen == [["1"], ["1"]])
    await poller.stop()
