"""SIGKILL at random moments: every acknowledged object is there and whole, and no row is without its bytes."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alight.clock import SystemClock
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.verify import verify
from tests.crash import store_child
from tests.crash.accountant import Balance
from tests.crash.packed import left_in_packs

KILLS = 20
#: Answers before a kill, at the most.
MOST = 40
#: Rounds of one life are numbered from here on, so that a later round is always a greater number.
LIFE = 1_000_000

#: The states that each key may be in: the acknowledged one, and those that were begun since.
Known = dict[str, set[str]]


def live(folder: Path, life: int, answers: int, seconds: float) -> list[list[str]]:
    """Run the child, kill it `seconds` after so many answers, however long a busy machine takes for them; the lines
    that it said."""
    process = subprocess.Popen(
        [sys.executable, store_child.__file__, str(folder), str(life * LIFE)], stdout=subprocess.PIPE
    )
    said: list[bytes] = []
    with process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            while answers:
                said.append(process.stdout.readline())
                assert said[-1], "the child has ended by itself"
                answers -= said[-1].startswith(b"done ")
            time.sleep(seconds)
        finally:
            process.kill()
            said += process.stdout.readlines()
    return [line.decode().split() for line in said if line.endswith(b"\n")]


def learn(known: Known, kept: Known, said: list[list[str]]) -> int:
    """Remember what was acknowledged, and which versions have to stay; how many answers there were."""
    for verb, key, state in said:
        if verb == "done":
            known[key] = {state}
            if key.startswith("kept/") and state != "none":
                kept.setdefault(key, set()).add(state)
        else:
            known.setdefault(key, {"none"}).add(state)
    return sum(verb == "done" for verb, _, _ in said)


async def judge(folder: Path, known: Known, kept: Known) -> list[str]:
    """What is wrong, in words."""
    database = await Database.open(folder, SystemClock())
    store = ObjectStore(database, folder)
    wrong = [line for key, states in known.items() for line in await judge_key(store, key, states)]
    wrong += [line for key, turns in kept.items() for line in await judge_versions(store, key, turns)]
    wrong += [f"{finding.what} {finding.key}" for finding in verify(folder)]
    await store.sweep()
    store.close()
    referenced = {row["id"] for row in database.read().all("bodies.known", start="", end="g")}
    await database.close()
    present = {path.name for path in (folder / "bodies").rglob("*") if path.is_file()}
    wrong += [f"{name} is missing" for name in referenced - present]
    wrong += [f"{name} was left" for name in present - referenced]
    wrong += left_in_packs(folder)
    return wrong + [f"{path.name} was left" for path in (folder / "tmp").iterdir()]


async def judge_key(store: ObjectStore, key: str, states: set[str]) -> list[str]:
    row = store.get(store_child.bucket_of(key), key)
    found = row.metadata["turn"] if row else "none"
    if found not in states:
        return [f"{key} is {found} instead of one of {states}"]
    if row is not None:
        data = b"".join([chunk async for chunk in store.open_body(row)])
        if data != store_child.content(key, int(found), row.size):
            return [f"{key} in {found} has other bytes"]
    return []


async def judge_versions(store: ObjectStore, key: str, turns: set[str]) -> list[str]:
    """Every version that was acknowledged is there, with its bytes."""
    page = store.list_versions("kept", key, "", ("", ""), 100_000)
    rows = {one.row.metadata["turn"]: one.row for one in page.versions if not one.row.marker}
    wrong = [f"version {turn} of {key} is missing" for turn in turns - rows.keys()]
    for turn in turns & rows.keys():
        data = b"".join([chunk async for chunk in store.open_body(rows[turn])])
        if data != store_child.content(key, int(turn), rows[turn].size):
            wrong.append(f"version {turn} of {key} has other bytes")
    return wrong


@pytest.mark.slow
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    print(f"\nseed {seed}: ALIGHT_TEST_SEED={seed} kills at the same moments")
    chance = random.Random(seed)
    known, kept = Known(), Known()
    answers = 0
    for life in range(1, KILLS + 1):
        answers += learn(known, kept, live(tmp_path, life, chance.randint(0, MOST), chance.uniform(0, 0.02)))
        if life % 5 == 0:
            assert asyncio.run(judge(tmp_path, known, kept)) == [], f"ALIGHT_TEST_SEED={seed}, life {life}"
    print(f"the object store alone{Balance({'kills': KILLS, 'changes answered': answers}).table(seed)}")
    assert answers > KILLS
