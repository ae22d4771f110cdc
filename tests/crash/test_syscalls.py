"""SIGKILL at calls that change something: writes, syncs, renames, truncations, sends; in a short run and in recovery.

One life after another on one folder: the runtime is ended right before or right after its N-th call of one kind
(`killed.py`), the next life starts from what is left and may be ended before it serves. The calls of a life that nobody
ends are counted first, and the places are drawn from them. ALIGHT_CHAOS_SYSCALLS says at how many; without it, as many
as fit ALIGHT_CHAOS_SECONDS.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.killed import KillAt
from tests.crash.rig import Rig, rig, say
from tests.support import eventually
from tests.walk.making import books as counts

PLACES = int(os.environ.get("ALIGHT_CHAOS_SYSCALLS", "0"))
SECONDS = float(os.environ.get("ALIGHT_CHAOS_SECONDS", "inf" if PLACES else "5"))

#: Objects that each life is asked for.
OBJECTS = 3
LIFE = 120.0


def life(made: Rig) -> bool:
    """Start, ask for a few objects, wait for their end; whether it was still alive then."""
    try:
        instance = made.begin()
    except AssertionError as error:
        if "stopped before it was ready" not in str(error):
            raise
        return False
    for _ in range(OBJECTS):
        made.put()

    def over() -> bool:
        if instance.process.poll() is not None:
            return True
        try:
            found = counts(instance)
        except Exception:  # whatever a dying door says
            return False
        return not (found["pending"] or found["running"] or found["outbox"]["ready"] or found["outbox"]["sending"])

    eventually(over, LIFE, "the end of a life")
    return instance.process.poll() is None


@pytest.mark.tool("cc")
@pytest.mark.slow
@pytest.mark.timeout(150 + PLACES * 20)
def test_killed_at_calls_that_change_something(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    with rig(tmp_path) as made:
        assert made.instance is not None
        made.instance.kill()
        place = KillAt(tmp_path)
        made.settings |= place.settings
        assert life(made)
        found = place.counts
        assert {"fdatasync", "fsync", "pwrite", "write"} <= found.keys(), found
        done: Counter[str] = Counter()
        began = time.monotonic()
        while (not PLACES or sum(done.values()) < PLACES) and time.monotonic() < began + SECONDS:
            call = chance.choice(sorted(found))
            number, after = chance.randint(1, found[call]), chance.random() < 0.5
            place.set(call, number, after=after)
            if life(made):
                made.instance.kill()
                done["not reached"] += 1
            else:
                made.books.note("kill", who=f"{'after' if after else 'before'} {call} {number}")
                done[call] += 1
        place.set("", 0, after=False)
        made.begin()
        took = f"{sum(done.values())} lives, {time.monotonic() - began:.0f} s"
        say(made.settle(), seed, f"{sum(found.values())} places, {took}, ended at: {dict(sorted(done.items()))}")
