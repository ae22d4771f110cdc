"""Telemetry: everything comes back by every way of asking, old things go, and nobody ever waits for it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors.common import ServiceUnavailable
from alight.store import metrics, minutes, telemetry_writer
from alight.store.connections import RELAXED, open_reader, open_writer
from alight.store.metrics import together
from alight.store.predictions import Prediction
from alight.store.telemetry import FILE_NAME, FOREVER, Telemetry
from alight.store.telemetry_writer import ROWS_AT_ONCE


@pytest.fixture
async def telemetry(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Telemetry]:
    telemetry = await Telemetry.open(tmp_path, clock)
    yield telemetry
    await telemetry.close()


def texts(rows: list[dict[str, object]]) -> list[object]:
    return [row["message"] for row in rows]


async def test_logs_by_group_stream_time_and_request(telemetry: Telemetry) -> None:
    for number in range(20):
        telemetry.log("/aws/lambda/f", f"s{number % 2}", 100.0 + number, f"line {number}", f"r{number % 4}")
    telemetry.log("/aws/lambda/g", "s0", 105.0, "foreign")
    await telemetry.flush()
    assert texts(telemetry.logs("/aws/lambda/f")) == [f"line {number}" for number in range(20)]
    assert texts(telemetry.logs("/aws/lambda/f", "s1", limit=2)) == ["line 1", "line 3"]
    assert texts(telemetry.logs("/aws/lambda/f", start=105.0, end=107.0)) == ["line 5", "line 6"]
    assert texts(telemetry.logs(request_id="r3")) == ["line 3", "line 7", "line 11", "line 15", "line 19"]
    assert texts(telemetry.logs_back("/aws/lambda/f", limit=2)) == ["line 19", "line 18"]
    assert texts(telemetry.logs_back("/aws/lambda/f", "s0", end=110.0, limit=1)) == ["line 8"]
    assert [row["log_group"] for row in telemetry.groups("/aws/lambda/")] == ["/aws/lambda/f", "/aws/lambda/g"]
    (first, second) = telemetry.streams("/aws/lambda/f")
    assert (first["stream"], first["first_ts"], first["last_ts"]) == ("s0", 100.0, 118.0)
    assert (second["stream"], second["first_ts"], second["last_ts"]) == ("s1", 101.0, 119.0)


async def test_pages_of_logs_neither_lose_nor_repeat(telemetry: Telemetry) -> None:
    for number in range(50):
        telemetry.log("g", "s", 100.0 + number // 10, str(number))
    await telemetry.flush()
    forward: list[object] = []
    place = (-FOREVER, 0)
    while rows := telemetry.logs("g", after=place, limit=7):
        forward += texts(rows)
        place = (rows[-1]["ts"], rows[-1]["id"])
    backward: list[object] = []
    place = (FOREVER, 0)
    while rows := telemetry.logs_back("g", before=place, limit=7):
        backward += texts(rows)
        place = (rows[-1]["ts"], rows[-1]["id"])
    assert forward == [str(number) for number in range(50)] == backward[::-1]


async def test_followers_see_late_lines(telemetry: Telemetry) -> None:
    telemetry.log("g", "s", 100.0, "first")
    await telemetry.flush()
    seen = telemetry.last_log_id()
    telemetry.log("g", "s", 50.0, "late")
    telemetry.log("other", "s", 200.0, "foreign")
    await telemetry.flush()
    assert texts(telemetry.logs_since("g", seen)) == ["late"]
    assert texts(telemetry.logs("g", after_id=seen)) == ["late"]


async def test_spans_invocations_metrics(telemetry: Telemetry) -> None:
    telemetry.span("r1", "put", 1, 2, "e1", size=3)
    telemetry.span("r2", "invoke", 0.5, 4, "e1")
    telemetry.span("r1", "commit", 1.5, 2)
    for attempt in (1, 2):
        telemetry.invocation(
            request_id=f"r{attempt}",
            event_id="e1",
            function="f",
            attempt=attempt,
            started=attempt,
            ended=attempt + 0.5,
            init_ms=None if attempt == 2 else 12.5,
            outcome="ok",
        )
    await telemetry.flush()
    assert [row["name"] for row in telemetry.spans("r1")] == ["put", "commit"]
    assert [row["name"] for row in telemetry.spans(event_id="e1")] == ["invoke", "put"]
    assert telemetry.spans("r1")[0]["attributes"] == {"size": 3}
    assert [row["attempt"] for row in telemetry.invocations(event_id="e1")] == [1, 2]
    assert [row["attempt"] for row in telemetry.invocations("f")] == [2, 1]
    assert [row["init_ms"] for row in telemetry.invocations(request_id="r1")] == [12.5]
    assert [row["attempt"] for row in telemetry.invocations(start=1.5, end=3)] == [2]


async def test_metrics_are_kept_by_the_minute(telemetry: Telemetry) -> None:
    for moment, value in ((60, 1), (61, 3), (119, 2), (120, 7)):
        telemetry.metric("N", "m", value, {"b": "2", "a": "1"}, unit="Count", timestamp=moment)
        if moment == 61:
            # A minute that the disk has already goes on where it stood.
            await telemetry.flush()
    telemetry.metric("N", "m", 5, {"a": "1", "b": "2"}, unit="Bytes", timestamp=60, times=4)
    telemetry.metric("N", "other", 5, {}, timestamp=600)
    await telemetry.flush()
    rows = telemetry.minutes("N", "m", {"a": "1", "b": "2"})
    assert [(row.start, row.unit, row.tally.count, row.tally.sum) for row in rows] == [
        (60, "Bytes", 4, 20),
        (60, "Count", 3, 6),
        (120, "Count", 1, 7),
    ]
    assert (rows[1].tally.low, rows[1].tally.high, rows[1].tally.percentile(0.5)) == (1, 3, 2)
    assert [row.start for row in telemetry.minutes("N", "m", {"a": "1", "b": "2"}, start=61, end=121)] == [120]
    assert telemetry.minutes("N", "m", {"a": "1"}) == []
    assert [(row["name"], row["dimensions"]) for row in telemetry.series("N")] == [
        ("m", {"a": "1", "b": "2"}),
        ("other", {}),
    ]
    [first] = telemetry.series(limit=1)
    assert [row["name"] for row in telemetry.series(after=first["place"])] == ["other"]
    assert [row["name"] for row in telemetry.series(since=300)] == ["other"]
    assert len(telemetry.series(name="m")) == 1


async def test_too_many_metrics_are_dropped_and_counted(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes, "MOST_WAITING", 3)
    with telemetry._writer._guard:
        for number in range(5):
            telemetry.metric("N", f"m{number}", 1, {})
            telemetry.metric("N", "m0", 1, {})
    await telemetry.flush()
    assert (len(telemetry.series("N")), telemetry.dropped) == (3, 2)


async def test_what_is_told_together_counts_as_if_each_value_were_told(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minutes, "MOST_TOLD", 3)
    series = together("N", (("count", "Count"), ("time", "Milliseconds")), {}, {"b": "2", "a": "1"})
    told = [(1.0, 2.5), (0.0, 1234.56), (1.0, 2.5), (1.0, 0.0), (0.25, 1.0)]
    for values in told:
        telemetry.tell(series, *values, timestamp=61)
        telemetry.metric("N", "apart", values[0], {}, unit="Count", timestamp=61)
        telemetry.metric("N", "apart", values[1], {}, unit="Milliseconds", timestamp=61)
    telemetry.tell(series, 1.0, 1.0, timestamp=120)
    await telemetry.flush()
    apart = {row.unit: row.tally for row in telemetry.minutes("N", "apart", {})}
    for name, unit in series.columns:
        for where in ({}, {"a": "1", "b": "2"}):
            first, second = telemetry.minutes("N", name, where)
            assert (first.start, first.unit, first.tally) == (60, unit, apart[unit])
            assert (second.start, second.tally.count) == (120, 1)


async def test_what_is_told_of_a_resource_counts_under_its_dimensions(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "REMEMBERED", 2)
    tell = metrics.by_resource(telemetry, "N", lambda name: {"Name": name}, {"Size": "Bytes"})
    for name in ("a", "b", "a"):
        tell(name, "Sent", 1.0, 1)
        tell(name, "Size", 12, 1)
    tell("a", "Sent", 1.0, 5)
    await telemetry.flush()

    def counted(metric: str, name: str) -> list[tuple[str, float, float]]:
        found = telemetry.minutes("N", metric, {"Name": name})
        return [(row.unit, row.tally.count, row.tally.sum) for row in found]

    assert (counted("Sent", "a"), counted("Sent", "b")) == ([("Count", 7, 7)], [("Count", 1, 1)])
    assert (counted("Size", "a"), counted("Size", "b")) == ([("Bytes", 2, 24)], [("Bytes", 1, 12)])


async def test_what_was_told_together_and_found_no_room_is_counted(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minutes, "MOST_WAITING", 3)
    series = together("N", (("one", "Count"), ("two", "Count")), {}, {"a": "1"})
    with telemetry._writer._guard:
        telemetry.tell(series, 1.0, 1.0, timestamp=61)
        telemetry.tell(series, 1.0, 1.0, timestamp=61)
    await telemetry.flush()
    assert (len(telemetry.series("N")), telemetry.uncounted) == (3, 2)


async def test_a_name_of_a_metric_that_is_no_text_hurts_no_other(telemetry: Telemetry) -> None:
    telemetry.metric("N", "\ud800", 1, {})
    telemetry.metric("N", "m", 1, {})
    await telemetry.flush()
    assert ([row["name"] for row in telemetry.series("N")], telemetry.dropped) == (["m"], 1)


async def test_old_things_go(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_writer, "PRUNE_STEP", 3)
    for number in range(10):
        telemetry.log("g", f"s{number // 5}", number, str(number))
        telemetry.log("kept", "s", number, str(number))
        telemetry.span("r", "x", number, number)
        telemetry.metric("n", f"m{number // 5}", 1, {}, timestamp=number // 5 * 60)
    assert await telemetry.prune(5, group="g") == 6, "five lines and a stream"
    assert texts(telemetry.logs("g")) == ["5", "6", "7", "8", "9"]
    assert len(telemetry.logs("kept")) == 10
    await telemetry.prune(8, spared=["kept"])
    assert len(telemetry.logs("kept")) == 10
    await telemetry.prune(8)
    assert texts(telemetry.logs("kept")) == ["8", "9"]
    [stream] = telemetry.streams("kept")
    assert (stream["first_ts"], stream["bytes"]) == (8, 2 * 27), "what is left of it"
    assert [row["start"] for row in telemetry.spans("r")] == [8, 9]
    assert [row["stream"] for row in telemetry.streams("g")] == ["s1"]
    assert [row["name"] for row in telemetry.series()] == ["m1"]
    assert telemetry.minutes("n", "m0", {}) == []
    assert len(telemetry.minutes("n", "m1", {})) == 1


async def test_a_deleted_group_or_stream_is_gone(telemetry: Telemetry) -> None:
    for stream in ("a", "b"):
        telemetry.log("g", stream, 1, stream)
    assert await telemetry.create_stream("g", "empty")
    assert not await telemetry.create_stream("g", "empty")
    await telemetry.flush()
    assert [row["stream"] for row in telemetry.streams("g")] == ["a", "b", "empty"]
    await telemetry.delete_logs("g", "a")
    assert (texts(telemetry.logs("g")), len(telemetry.streams("g"))) == (["b"], 2)
    await telemetry.delete_logs("g")
    assert (telemetry.logs("g"), telemetry.streams("g"), telemetry.groups()) == ([], [], [])


async def test_metrics_that_are_told_at_once_have_one_minute_and_values_of_their_own(
    telemetry: Telemetry, clock: ManualClock
) -> None:
    every, own = together("N", (("m", "Count"),), {}), together("N", (("m", "Count"),), {"d": "x"})
    clock.set_by(120 - clock.now())
    telemetry.tell_all((every, (3.0,)), (own, (1.0,)))
    await telemetry.flush()
    for dimensions, value in (({}, 3.0), ({"d": "x"}, 1.0)):
        [minute] = telemetry.minutes("N", "m", dimensions)
        assert (minute.start, minute.tally.sum, minute.tally.count) == (120, value, 1.0)


async def test_what_does_not_fit_is_dropped_and_counted(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_writer, "CAPACITY", 10)
    with telemetry._writer._guard:
        for number in range(25):
            telemetry.log("g", "s", number, str(number))
    assert telemetry.dropped == 15
    await telemetry.flush()
    assert len(telemetry.logs("g")) == 10


async def test_of_lines_that_come_together_those_are_kept_that_find_room(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_writer, "CAPACITY", 3)
    with telemetry._writer._guard:
        telemetry.log_all("g", "s", 1, ["1", "2"], "r")
        telemetry.log_all("g", "s", 2, ["3", "4", "5"], "r")
        telemetry.log_all("g", "s", 3, ["6"], "r")
    await telemetry.flush()
    assert (texts(telemetry.logs("g")), telemetry.dropped) == (["1", "2", "3"], 3)
    telemetry.log_all("g", "s", 4, ["7", "8"], "r")
    await telemetry.close()
    telemetry.log_all("g", "s", 5, ["9", "10"], "r")
    assert telemetry.dropped == 5


async def test_an_entry_that_cannot_be_written_hurts_no_other(telemetry: Telemetry) -> None:
    telemetry.log("g", "s", 1, "before")
    telemetry.log("g", "s", 2, "\udcff no text")
    telemetry.log("g", "s", 3, "after")
    await telemetry.flush()
    assert texts(telemetry.logs("g")) == ["before", "after"]
    assert telemetry.dropped == 1


async def test_a_failing_disk_drops_and_goes_on(telemetry: Telemetry) -> None:
    failing = threading.Event()
    failing.set()
    connection = telemetry._writer._connection

    def refuse() -> bool:
        return failing.is_set()

    connection.set_commit_hook(refuse)
    telemetry.log("g", "s", 1, "lost")
    await telemetry.flush()
    failing.clear()
    telemetry.log("g", "s", 2, "kept")
    await telemetry.flush()
    assert (texts(telemetry.logs("g")), telemetry.dropped) == (["kept"], 1)


#: Some of each size of a statement, and one alone.
COUNT = 2 * sum(ROWS_AT_ONCE) + 1


async def test_of_many_rows_the_one_that_cannot_be_written_is_lost_alone(telemetry: Telemetry) -> None:
    with telemetry._writer._guard:
        for number in range(COUNT):
            telemetry.log("g", "s", number, "bad \ud800" if number == 5 else f"{number}")
            telemetry.span(f"r{number}", "step", number, number + 1)
            telemetry.predictions.add(predicted(f"r{number}", "bad \ud800" if number == 7 else "duck"))
    await telemetry.flush()
    kept = [f"{number}" for number in range(COUNT) if number != 5]
    assert (texts(telemetry.logs("g")), telemetry.dropped) == (kept, 2)
    answers = telemetry.predictions.of_requests([f"r{number}" for number in range(COUNT)])
    assert list(answers) == sorted(f"r{number}" for number in range(COUNT) if number != 7)
    assert all(len(telemetry.spans(f"r{number}")) == 1 for number in range(COUNT))


async def test_rows_of_one_kind_are_inserted_together(telemetry: Telemetry) -> None:
    asked: list[str] = []

    def ask(cursor: apsw.Cursor, statement: str, given: object) -> bool:
        asked.append(statement)
        return True

    telemetry._writer._connection.exec_trace = ask
    with telemetry._writer._guard:
        for number in range(COUNT):
            telemetry.predictions.add(predicted(f"r{number}", "duck"))
    await telemetry.flush()
    telemetry._writer._connection.exec_trace = None
    assert len([statement for statement in asked if "INTO predictions" in statement]) == 2 * len(ROWS_AT_ONCE) + 1


def predicted(request: str, answer: str) -> Prediction:
    return Prediction(request, "", "birds", "all", 1.0, 0.1, "image/jpeg", "", answer, "duck", 0.9, (("duck", 0.9),))


async def test_lines_that_are_put_are_kept_or_the_caller_is_told(telemetry: Telemetry) -> None:
    await telemetry.put_logs("g", "s", [(1.0, "a"), (2.0, "b")])
    assert texts(telemetry.logs("g")) == ["a", "b"], "without a flush"
    telemetry._writer._connection.set_commit_hook(lambda: True)
    with pytest.raises(ServiceUnavailable):
        await telemetry.put_logs("g", "s", [(3.0, "c")])
    telemetry.metric("N", "m", 1, {})
    await telemetry.flush()
    assert telemetry.uncounted == 1
    telemetry._writer._connection.set_commit_hook(None)
    assert texts(telemetry.logs("g")) == ["a", "b"]


async def test_it_is_written_without_being_asked_and_at_the_end(tmp_path: Path, clock: ManualClock) -> None:
    telemetry = await Telemetry.open(tmp_path, clock)
    telemetry.log("g", "s", 1, "last words")
    await telemetry.close()
    again = await Telemetry.open(tmp_path, clock)
    assert texts(again.logs("g")) == ["last words"]
    await again.close()


async def test_a_damaged_file_is_set_aside(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "telemetry.db").write_bytes(b"no database" * 1000)
    telemetry = await Telemetry.open(tmp_path, clock)
    telemetry.log("g", "s", 1, "new")
    await telemetry.flush()
    assert texts(telemetry.logs("g")) == ["new"]
    assert (tmp_path / "damaged-telemetry.db").exists()
    await telemetry.close()


async def test_questions_use_an_index(telemetry: Telemetry) -> None:
    """None of the readers' questions may read a whole table; once an hour, the list of streams is read."""
    scans = []
    for name, statement in telemetry._reader._statements.items():
        counts = "series" in name or "_streams" in name
        if name.startswith("telemetry.") and "SELECT" in statement.sql and not counts:
            given = dict.fromkeys(parameters(statement.sql))
            plan = telemetry._reading.execute(f"EXPLAIN QUERY PLAN {statement.sql}", given)
            scans += [
                f"{name}: {row[3]}" for row in plan if re.match("SCAN (?!json_each|percent|CONSTANT ROW)", str(row[3]))
            ]
    assert scans == []


async def test_a_stretch_of_time_is_found_without_reading_what_lies_before_it(telemetry: Telemetry) -> None:
    """Neither the lines before it nor those behind it are looked at, in either direction."""
    for number in range(2000):
        telemetry.log("g", "s", float(number), str(number))
    await telemetry.flush()
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    telemetry._reading.set_progress_handler(step, 10)
    for stream in (None, "s"):
        assert texts(telemetry.logs("g", stream, start=1600.0, limit=2)) == ["1600", "1601"]
        assert texts(telemetry.logs("g", stream, start=1600.0, after=(1600.0, 1601), limit=1)) == ["1601"]
        assert texts(telemetry.logs("g", stream, start=400.0, end=401.0, limit=10)) == ["400"]
        assert texts(telemetry.logs_back("g", stream, end=400.0, limit=2)) == ["399", "398"]
        assert texts(telemetry.logs_back("g", stream, start=1600.0, end=1601.0, limit=10)) == ["1600"]
    assert steps < 300, "as many steps as if lines had been read one by one"


def parameters(sql: str) -> set[str]:
    return set(re.findall(r":([a-z_]+)", sql))


async def test_a_long_read_apart_does_not_meet_what_the_loop_reads(tmp_path: Path, clock: ManualClock) -> None:
    # The loop's reader in the middle of a question, as long as the other thread asks.
    inside, go_on = threading.Event(), threading.Event()

    def held(*_: object) -> int:
        inside.set()
        return int(go_on.wait(20))

    await (await Telemetry.open(tmp_path, clock)).close()
    path = tmp_path / FILE_NAME
    reading = open_reader(path)
    reading.create_scalar_function("held", held)
    telemetry = Telemetry(clock, open_writer(path, RELAXED), reading)
    asking = asyncio.create_task(asyncio.to_thread(lambda: reading.execute("SELECT held()").fetchall()))
    try:
        assert await asyncio.to_thread(inside.wait, 20)
        assert telemetry.run_apart(lambda predictions: predictions.alone(before=FOREVER, limit=1)) == []
        assert not asking.done()
    finally:
        go_on.set()
    assert await asking == [(1,)]
    await telemetry.close()


async def test_it_does_not_wait_for_the_disk(telemetry: Telemetry) -> None:
    assert telemetry._writer._connection.pragma("synchronous") == 1


async def test_a_name_that_is_not_text_does_not_end_the_thread(telemetry: Telemetry) -> None:
    telemetry.log("g", "\ud800", 1.0, "lost")
    await telemetry.flush()
    telemetry.log("g", "s", 1.0, "kept")
    await telemetry.flush()
    assert texts(telemetry.logs("g")) == ["kept"]
    assert telemetry.dropped > 0


async def test_a_flush_waits_for_the_batch_that_is_being_written(telemetry: Telemetry) -> None:
    await telemetry.flush()
    # Given a batch that was taken and is not on the disk yet
    with telemetry._writer._guard:
        flushing = asyncio.create_task(telemetry.flush())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not flushing.done()
    async with asyncio.timeout(10):
        await flushing
