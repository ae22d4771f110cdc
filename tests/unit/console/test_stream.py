"""New stories reach every open page once they are there, and again whenever they change; nobody reads, nobody looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alight.clock import ManualClock
from alight.console.stories import Row, Stories, Wanted
from alight.console.stream import AT_ONCE, BUSY, NOTHING, WAITING, Stream
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
        self.leased: dict[str, journal.Event] = {}
        stories = Stories(database, OutboxStore(database), telemetry)
        self.stream = Stream(
            database, telemetry, stories, clock, lambda row: f"{row.id} {row.state} {row.label}".strip()
        )

    async def accept(self, id: str, function: str = ARN) -> None:
        event = NewEvent(id, function, b"{}", {"kind": "s3", "bucket": "b", "key": f"{id}.jpg"}, self.clock.now(), 9e12)
        await self.database.write(lambda tx: journal.accept(tx, event))

    async def succeed(self, id: str) -> None:
        def job(tx: object) -> None:
            self.leased |= {one.id: one for one in journal.lease(tx, ARN, 10, self.clock.now())}  # type: ignore[arg-type]
            assert journal.succeed(tx, self.leased[id], self.clock.now(), b"1")  # type: ignore[arg-type]

        await self.database.write(job)

    async def look(self, lines: AsyncIterator[str]) -> dict[str, Any]:
        """What the next look tells, after as many looks as it takes; nothing for a line that only opens."""
        waiting = asyncio.ensure_future(anext(lines))
        while not waiting.done():
            await asyncio.sleep(0)
            self.clock.advance(BUSY)
        line = waiting.result()
        return dict(json.loads(line.removeprefix("data: "))) if line.startswith("data: ") else {"rows": []}

    async def next(self, lines: AsyncIterator[str]) -> str:
        """The rows of the next look, in one line."""
        return ", ".join(str(row["html"]) for row in (await self.look(lines))["rows"])


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    # Who looks does not wait for the next batch.
    monkeypatch.setattr("alight.store.telemetry_writer.BATCH_SECONDS", 60)
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
    assert await bench.next(lines) == ""
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
    assert await bench.next(lines) == "asked answered good"


async def test_of_too_many_at_once_the_newest_are_drawn_and_the_others_counted(bench: Bench) -> None:
    lines = bench.stream.follow(Wanted())
    await bench.next(lines)
    for number in range(AT_ONCE + 7):
        await bench.accept(f"n{number:02}")
        await bench.succeed(f"n{number:02}")
    told = await bench.look(lines)
    assert [row["id"] for row in told["rows"]] == [f"n{number:02}" for number in range(7, AT_ONCE + 7)]
    assert told["more"] == 7


async def test_what_was_drawn_as_under_way_is_told_to_its_end_however_much_happens(bench: Bench) -> None:
    lines = bench.stream.follow(Wanted())
    await bench.next(lines)
    await bench.accept("slow")
    assert await bench.next(lines) == "slow pending"
    for number in range(AT_ONCE + 7):
        await bench.accept(f"n{number:02}")
        await bench.succeed(f"n{number:02}")
    await bench.succeed("slow")
    assert "slow succeeded" in await bench.next(lines)


async def test_what_fits_the_filter_no_more_leaves_the_page(bench: Bench) -> None:
    lines = bench.stream.follow(Wanted(outcome="pending"))
    await bench.next(lines)
    await bench.accept("one")
    assert await bench.next(lines) == "one pending"
    await bench.succeed("one")
    assert (await bench.look(lines))["gone"] == ["one"]


async def test_a_row_is_drawn_once_for_all_readers(bench: Bench) -> None:
    drawn: list[str] = []
    bench.stream._write = lambda row: drawn.append(row.id) or row.id  # type: ignore[func-returns-value]
    first, second = bench.stream.follow(Wanted()), bench.stream.follow(Wanted())
    await bench.next(first)
    await bench.next(second)
    await bench.accept("one")
    assert await bench.next(first) == await bench.next(second) == "one"
    assert drawn == ["one"]


async def test_a_reader_who_does_not_read_is_cut_off(bench: Bench) -> None:
    lines = bench.stream.follow(Wanted())
    await bench.next(lines)
    for number in range(WAITING + 1):
        await bench.accept(f"n{number}")
        for _ in range(20):
            await asyncio.sleep(0)
            bench.clock.advance(BUSY)
    async with asyncio.timeout(10):
        assert [line async for line in lines] == []


async def test_where_a_look_breaks_off_each_page_begins_anew(bench: Bench) -> None:
    def broken(row: Row) -> str:
        raise LookupError(row.id)

    async def rest(lines: AsyncIterator[str]) -> list[str]:
        return [line async for line in lines]

    lines, others = bench.stream.follow(Wanted()), bench.stream.follow(Wanted(outcome="dead"))
    write = bench.stream._write
    await bench.next(lines)
    await bench.next(others)
    bench.stream._write = broken
    # One waits for the next look, the other comes late.
    waiting = asyncio.ensure_future(rest(lines))
    await bench.accept("one")
    for _ in range(20):
        await asyncio.sleep(0)
        bench.clock.advance(BUSY)
    async with asyncio.timeout(10):
        assert await waiting == [f"data: {NOTHING}\n\n"]
        assert await rest(others) == []
    bench.stream._write = write
    lines = bench.stream.follow(Wanted())
    await bench.next(lines)
    assert await bench.next(lines) == "one pending"
