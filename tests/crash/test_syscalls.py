"""SIGKILL at calls that change something: writes, syncs, renames, truncations, sends; in a short run and in recovery.

One life after another on one folder: strace ends the runtime at the N-th call of one kind (counted by thread, as strace
does), the next life starts from what is left and may be ended before it serves. The calls of a life that nobody ends
are counted first, and the places are drawn from them. ALIGHT_CHAOS_SYSCALLS says at how many; without it, as many as
fit ALIGHT_CHAOS_SECONDS.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.rig import Rig, rig, say
from tests.support import eventually
from tests.walk.making import books as counts

PLACES = int(os.environ.get("ALIGHT_CHAOS_SYSCALLS", "0"))
SECONDS = float(os.environ.get("ALIGHT_CHAOS_SECONDS", "inf" if PLACES else "10"))

CALLS = (
    "write", "pwrite64", "writev", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat",
    "ftruncate", "sendto", "sendmsg",
)  # fmt: skip
#: Objects that each life is asked for.
OBJECTS = 3
LIFE = 30.0


def strace(*words: str) -> list[str]:
    """Trace the runtime with all its threads, and nobody that it starts."""
    return ["strace", "-f", "-b", "execve", "-qq", "-e", "signal=none", *words]


def places(log: Path) -> list[tuple[str, int]]:
    """Every (call, N) at which some thread of the traced life has been."""
    most: dict[str, int] = Counter()
    for (_, call), count in Counter(re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.MULTILINE)).items():
        most[call] = max(most[call], count)
    return [(call, number) for call, count in most.items() for number in range(1, count + 1)]


def life(made: Rig, *before: str) -> bool:
    """Start, ask for a few objects, wait for their end; whether it was still alive then."""
    try:
        instance = made.begin(*before)
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


@pytest.mark.tool("strace")
@pytest.mark.slow
@pytest.mark.timeout(150 + PLACES * 20)
def test_killed_at_calls_that_change_something(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    log = tmp_path / "calls"
    with rig(tmp_path) as made:
        assert made.instance is not None
        made.instance.kill()
        assert life(made, *strace("-o", str(log), "-e", f"trace={','.join(CALLS)}"))
        found = places(log)
        assert {"fdatasync", "fsync", "pwrite64", "write"} <= {call for call, _ in found}, found
        done: Counter[str] = Counter()
        deadline = time.monotonic() + SECONDS
        while (not PLACES or sum(done.values()) < PLACES) and time.monotonic() < deadline:
            call = chance.choice(sorted({call for call, _ in found}))
            number = chance.choice([number for name, number in found if name == call])
            inject = strace("-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
            if life(made, *inject):
                made.instance.kill()
                done["not reached"] += 1
            else:
                made.books.note("kill", who=f"{call} {number}")
                done[call] += 1
        made.begin()
        say(made.settle(), seed, f"{len(found)} places, ended at: {dict(sorted(done.items()))}")
