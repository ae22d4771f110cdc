"""SIGKILL of a worker at calls that change something: what it sends to the runtime, to topics, what it writes.

The handler notes that it runs and publishes; its worker is ended right before its N-th call, anywhere in an invocation,
and the event runs again with another one. ALIGHT_CHAOS_WORKER_KILLS says how often.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.killed import ANY, KillAt
from tests.crash.rig import KEEPS_BOOKS, TOLD_BY_WEBHOOK, House, Rig, rig, say
from tests.support import eventually
from tests.walk.making import events

KILLS = int(os.environ.get("ALIGHT_CHAOS_WORKER_KILLS", "6"))

CODE = (
    KEEPS_BOOKS
    + """
def handler(event, context):
    tell(begun(event, context), context, "told")
    print("told")
"""
)


def accept(made: Rig, count: int) -> None:
    """One event more, and its end: `count` have ended then."""
    instance = made.instance
    assert instance is not None
    assert made.put()
    eventually(lambda: [one["state"] for one in events(instance)] == ["succeeded"] * count, 60, "the end of an event")


@pytest.mark.tool("cc")
@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 10)
def test_a_worker_that_is_killed_at_any_call_costs_an_attempt_and_tells_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    place = KillAt(tmp_path, "launcher.py")
    settings = {"ALIGHT_RETRY_DELAYS": "0.05", "ALIGHT_CONCURRENCY": "1", "ALIGHT_WORKER_PATHS": str(tmp_path)}
    house = House(CODE, variables=place.settings, replicas=0, settings=settings, terms=TOLD_BY_WEBHOOK)
    with rig(tmp_path, house) as made:
        accept(made, 1)
        place.set("", 0, after=False)
        accept(made, 2)
        most, kinds = place.all, place.counts
        assert most > 3, kinds
        killed = Counter[bool]()
        while killed[True] < KILLS:
            place.set(ANY, chance.randint(1, most), after=chance.random() < 0.5)
            accept(made, killed.total() + 3)
            killed[place.reached] += 1
            if place.reached:
                made.books.note("kill", who="worker")
        assert made.instance is not None
        costs = sum(one["attempts"] - 1 for one in events(made.instance))
        what = f"{most} calls an invocation ({kinds}); {killed[False]} places not reached; {costs} attempts lost"
        found = made.settle()
    say(found, seed, what)
    assert found.numbers["of them dead letters"] == found.numbers["repeats of one key, flagged as uncertain"] == 0
    # Who is killed behind its answer has cost none.
    assert 0 < costs <= killed[True], f"seed {seed}"
