"""New stories reach every open page once they are there, and again whenever they change; nobody reads, nobody looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.console.stories import Stories, Wanted
from alight.console.stream import LOOK, Stream
from alight.names import function_arn
from alight.store import journal
from alight.store.database import Database
from alight.store.journal import NewEvent
from alight.store.outbox import OutboxStore
from alight.store.predictions import Prediction
from alight.store.telemetry import Telemetry

ARN = function_arn("classify")


class Bench:
    """A stream over a real database; rows are told as `id state`."""

    def __init__(self, database: Database, telemetry: Telemetry, clock: ManualClock) -> None:
        self.database, self.telemetry, self.clock = database, telemetry, clock
        stories = Stories(database, OutboxStore(database), telemetry)
        self.stream = Stream(
            database, telemetry, stories, clock, lambda row: f"{row.id} {row.state} {row.label}".strip()
        )

    async def accept(self, id: str, function: str = ARN) -> None:
        event = NewEvent(id, function, b"{}", {"kind": "s3", "bucket": "b", "key": f"{id}.jpg"}, self.clock.now(), 9e12)
        await self.database.write(lambda tx: journal.accept(tx, event))

    async def succeed(self, id: str) -> None:
        def job(tx: object) -> None:
            leased = [one for one in journal.lease(tx, ARN, 10, self.clock.now()) if one.id == id]  # type: ignore[arg-type]
            assert journal.succeed(tx, leased[0], self.clock.now(), b"1")  # type: ignore[arg-type]

        await self.database.write(job)

    async def next(self, lines: AsyncIterator[str]) -> str:
        """The next row, after as many looks as it takes."""
        waiting = asyncio.ensure_future(anext(lines))
        while not waiting.done():
            await asyncio.sleep(0)
            self.clock.advance(LOOK)
        line = waiting.result()
        return str(json.loads(line.removeprefix("data: "))["html"]) if line.startswith("data: ") else line.strip()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock()
    database = await Database.open(tmp_path, clock, ballast=0)
    telemetry = await Telemetry.open(tmp_path, clock)
    made = Bench(database, telemetry, clock)
    yield made
    await made.stream.close()
    await telemetry.close()
    await database.close()


async def test_a_new_story_is_told_and_told_again_when_it_ends(bench: Bench) -> None:
    lines = bench.stream.follow(Wanted())
    assert await bench.next(lines) == ": open"
    await bench.accept("one")
    assert await bench.next(lines) == "one pending"
    await bench.succeed("one")
    assert await bench.next(lines) == "one succeeded"


async def test_what_was_under_way_when_the_page_was_made_is_told_of(bench: Bench) -> None:
    await bench.accept("before")
    lines = bench.stream.follow(Wanted())
    await bench.next(lines)
    await bench.succeed("before")
    assert "before succeeded" in [await bench.next(lines) for _ in range(2)]


async def test_what_ended_while_the_page_was_loading_is_told_of(bench: Bench) -> None:
    await bench.accept("before")
    await bench.succeed("before")
    lines = bench.stream.follow(Wanted())
    await bench.next(lines)
    assert await bench.next(lines) == "before succeeded"


async def test_a_reader_gets_what_his_filter_lets_through(bench: Bench) -> None:
    lines = bench.stream.follow(Wanted(function=ARN))
    await bench.next(lines)
    await bench.accept("other", function_arn("other"))
    await bench.accept("mine")
    assert await bench.next(lines) == "mine pending"


async def test_an_answer_that_somebody_waited_for_is_a_story(bench: Bench) -> None:
    lines = bench.stream.follow(Wanted())
    await bench.next(lines)
    bench.clock.advance(1)
    bench.telemetry.predictions.add(
        Prediction("asked", "", "ear", "All", bench.clock.now(), 0.1, "text/plain", "hi", "0.9", "good", 0.9)
    )
    await bench.telemetry.flush()
    assert await bench.next(lines) == "asked answered good"
