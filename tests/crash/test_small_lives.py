"""SIGKILL at calls that change something, hundreds of times: in short lives of store, journal, dispatcher and outbox.

`small_life.py` forks a life in milliseconds, `killed.py` ends it at its N-th call. Every other life is ended while it
recovers from the kill before. Then a life that nobody ends comes to quiet in this process, and everything has to be
there: what was answered, its event, its one result, what was told, under one key, and nothing else on the disk.
ALIGHT_CHAOS_SMALL_KILLS says how many are killed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alight.store import journal
from alight.store.verify import verify
from tests.crash.accountant import Balance
from tests.crash.killed import ANY, KillAt
from tests.crash.packed import left_in_packs
from tests.crash.small_life import BUCKET, LETTER, Life, begin, pen
from tests.crash.store_child import content
from tests.support import clean_environment, sweep

KILLS = 300
#: Folders in which so many lives are killed.
FOLDERS = -(-int(os.environ.get("ALIGHT_CHAOS_SMALL_KILLS", KILLS)) // KILLS)
#: Lives that are killed between two judgements.
STORY = 20
#: A recovery is ended within so many calls: what is sure to come, what comes where there is something to do.
EARLY = (28, 80, 240)
#: Lives of a folder that are killed before one has come to its end.
FIRST = 6

Lines = list[list[str]]


class Lives:
    """Whoever forks them; `books` is what was seen from outside."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self.data, self.books = folder / "data", folder / "books"
        self.note = pen(self.books)

    def live(self, turn: int) -> bool:
        """One life; whether it came to its end. Raises where it ended in another way than by the kill."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self.data} {self.books} {turn}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status == 0 or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL), f"status {status}"
        return status == 0

    def said(self) -> Lines:
        return [line.split() for line in self.books.read_text().splitlines()]


@contextmanager
def lives(folder: Path, place: KillAt) -> Iterator[Lives]:
    # Its own compiled modules would be calls of the first life.
    command = [sys.executable, "-B", "-m", "tests.crash.small_life"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(**place.settings),
        start_new_session=True,
    )
    try:
        yield Lives(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        sweep(process)


async def judge(made: Lives) -> list[str]:
    """A life that nobody ends, and then what is wrong, in words."""
    data = made.data
    life = await begin(data, made.note)
    await life.recover()
    seen: Counter[tuple[str, str]] = Counter((line[0], line[-1]) for line in made.said())
    wrong = [*objects(life, seen), *[line async for line in bodies(life)], *events(life, seen), *told(life, seen)]
    referenced = {row["id"] for row in life.database.read().all("bodies.known", start="", end="g")}
    await life.close()
    present = {path.name for path in (data / "bodies").rglob("*") if path.is_file()}
    wrong += [f"{name} is missing" for name in referenced - present]
    wrong += [f"{name} was left" for name in present - referenced]
    wrong += [f"{path.name} was left" for path in (data / "tmp").iterdir()]
    wrong += left_in_packs(data)
    return wrong + [f"{finding.what} {finding.key} is damaged" for finding in verify(data)]


def objects(life: Life, seen: Counter[tuple[str, str]]) -> Iterator[str]:
    """Each key stands as it was last answered, or as somebody has begun to make it since."""
    states: dict[str, set[str]] = {}
    for verb, event in seen:
        if verb not in ("begin", "done"):
            continue
        key = event.partition(":")[0]
        if verb == "done":
            states[key] = {event}
        else:
            states.setdefault(key, {f"{key}:none"}).add(event)
    for key, allowed in states.items():
        row = life.objects.get(BUCKET, key)
        found = row.metadata["event"] if row else f"{key}:none"
        if found not in allowed:
            yield f"{key} is {found} instead of {allowed}"
        if row is not None and journal.get(life.database.read(), found) is None:
            yield f"{found} is there without its event"


async def bodies(life: Life) -> Any:
    for row in life.objects.list(BUCKET, limit=10_000):
        turn = int(row.metadata["event"].partition(":")[2])
        data = b"".join([chunk async for chunk in life.objects.open_body(row)])
        if data != content(row.key, turn, row.size):
            yield f"{row.key} has other bytes"


def events(life: Life, seen: Counter[tuple[str, str]]) -> Iterator[str]:
    reader = life.database.read()
    found = {event.id: event for event in journal.newest(reader, limit=100_000)}
    asked = {event for verb, event in seen if verb == "begin"}
    answered = {event for verb, event in seen if verb == "done"}
    yield from (f"{id} was answered and is lost" for id in answered - found.keys())
    for id, event in found.items():
        records = journal.attempts(reader, id)
        if id not in asked:
            yield f"{id} comes from nowhere"
        if event.state is not journal.State.SUCCEEDED or [one.outcome for one in records].count("ok") != 1:
            yield f"{id} is {event.state} with {len(records)} records"
        if len(records) != event.attempts:
            yield f"{id} counts {event.attempts} attempts and has {len(records)}"
        if not 0 < seen["attempt", id] <= event.leases:
            yield f"{id} was worked on {seen['attempt', id]} times under {event.leases} leases"


def told(life: Life, seen: Counter[tuple[str, str]]) -> Iterator[str]:
    """Each event one message, by both ways; twice outside only where that is flagged."""
    letters = {row.name: row.body["count"] for row in life.records.list(LETTER, limit=100_000)}
    sent = set()
    for event in journal.newest(life.database.read(), limit=100_000):
        messages = life.outbox_rows.messages_of_event(event.id)
        accepted = [message for message in messages if message.state == "accepted"]
        if len(accepted) != 1 or any(message.state == "staged" for message in messages):
            yield f"{event.id} told {[message.state for message in messages]}"
        for message in accepted:
            sent.add(message.id)
            deliveries = {one.protocol: one for one in life.outbox_rows.deliveries_of(message.id)}
            if sorted(deliveries) != ["http", "sqs"] or any(one.state != "sent" for one in deliveries.values()):
                yield f"{event.id} has the deliveries {deliveries}"
                continue
            came = seen["arrive", message.id]
            if not came or (came > 1 and not deliveries["http"].uncertain):
                yield f"{message.id} arrived {came} times, and the flag is {deliveries['http'].uncertain}"
            if letters.pop(message.id, 0) != 1:
                yield f"{message.id} does not lie once in the queue"
    yield from (f"{id} lies in the queue without a delivery" for id in letters)
    yield from (f"{id} arrived and was never told" for verb, id in seen if verb == "arrive" and id not in sent)


@pytest.mark.tool("cc")
@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS)
@pytest.mark.parametrize("number", range(FOLDERS))
def test_killed_at_any_call_and_again_in_recovery(tmp_path: Path, number: int) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32))) + number
    chance = random.Random(seed)
    place = KillAt(tmp_path, "tests.crash.small_life", flushes=False)
    done: Counter[str] = Counter()
    with lives(tmp_path, place) as made:
        turn = 0
        for _ in range(FIRST):
            # In an empty folder, and in what such a start has left.
            turn += 1
            place.set(ANY, chance.randint(1, EARLY[-1]), after=False)
            done["not reached" if made.live(turn) else "as it begins"] += 1
        place.set("", 0, after=False)
        assert made.live(turn + 1)
        assert made.live(turn + 2)
        most, kinds = place.all, sorted(place.counts)
        assert {"fdatasync", "fsync", "pwrite", "write", "rename", "unlink"} <= set(kinds), kinds
        turn += 2
        while done.total() - done["not reached"] < KILLS:
            turn += 1
            before = len(made.said())
            # In turn: anywhere in a life; early in one that only recovers, from what the one before has left.
            works = turn % 2
            place.set(ANY, chance.randint(1, most if works else chance.choice(EARLY)), after=False)
            ended = made.live(turn if works else 0)
            ready = any(line == ["ready"] for line in made.said()[before:])
            done["not reached" if ended else "at work" if ready else "in recovery"] += 1
            if turn % STORY == 0:
                assert asyncio.run(judge(made)) == [], f"ALIGHT_TEST_SEED={seed}, life {turn}"
        place.set("", 0, after=False)
        assert asyncio.run(judge(made)) == [], f"ALIGHT_TEST_SEED={seed}"
        answered = sum(line[0] == "done" for line in made.said())
        numbers = {f"lives ended {where}": number for where, number in sorted(done.items())}
        numbers |= {"calls a life": most, "changes answered": answered}
        print(f"\nsmall lives, ended at {', '.join(kinds)}{Balance(numbers).table(seed)}")
    assert done["in recovery"] > KILLS // 5
