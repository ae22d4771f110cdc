"""Random kills and pauses of runtime, workers and replicas, under load: nothing is lost, stuck, or told under two keys.

The pace is that of what is answered, not that of the clock: each kill has its share of the events, and comes at a
random one of them. So a slow machine takes longer, and is not down for most of the time.

ALIGHT_CHAOS_EVENTS and ALIGHT_CHAOS_KILLS say how long it goes on, ALIGHT_CHAOS_SECONDS after how long it ends with
what it has by then; ALIGHT_TEST_SEED repeats what is done when.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.rig import Load, Rig, rig, say
from tests.support import eventually
from tests.walk.making import processes_of, state_of

EVENTS = int(os.environ.get("ALIGHT_CHAOS_EVENTS", "60"))
KILLS = int(os.environ.get("ALIGHT_CHAOS_KILLS", "10"))
SECONDS = float(os.environ.get("ALIGHT_CHAOS_SECONDS", "inf"))

#: What each child has in its command line.
WORKER, REPLICA = "launcher.py", "alight.endpoints.replica"


class Chaos:
    """Does one thing after another to whoever lives on the rig's folder, and notes it."""

    def __init__(self, rig: Rig, load: Load, chance: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self._rig, self._load, self._chance = rig, load, chance

    def act(self, number: int, deadline: float) -> None:
        """Kill number `number`, sometimes after a pause of somebody, somewhere in its share of the events."""
        share = EVENTS / KILLS
        place = (number + self._chance.random()) * share
        # Whoever was killed before has been seen to serve since.
        seen = self._load.answered

        def reached() -> bool:
            return (self._load.answered >= place and self._load.answered > seen) or time.monotonic() > deadline

        eventually(reached, timeout=120 + share, what=f"answer {place:.0f}")
        if self._chance.random() < 0.3:
            self._pause(self._chance.choice(["runtime", "worker", "replica"]), self._chance.uniform(0.01, 0.5))
        threading.Event().wait(self._chance.uniform(0, 0.2))
        kind = self._chance.choices(["runtime", "worker", "replica"], [2, 2, 1])[0]
        pid = self._somebody(kind)
        if pid is None:
            kind, pid = "runtime", self._pid("runtime")
        assert pid is not None
        self._kill(kind, pid)

    def _somebody(self, kind: str) -> int | None:
        """One of this kind, which may just be starting; None where there is none for long."""
        try:
            return int(eventually(lambda: self._pid(kind), timeout=10))
        except AssertionError:
            return None

    def _kill(self, kind: str, pid: int) -> None:
        self._rig.books.note("kill", who=kind)
        self.done[f"{kind}s killed"] += 1
        if kind == "runtime":
            assert self._rig.instance is not None
            self._rig.instance.kill()
            if self._chance.random() < 0.5:
                self._rig.books.note("kill", who="runtime as it starts")
                self.done["runtimes killed as they start"] += 1
                self._rig.begin_in_vain(self._chance.uniform(0.05, 1.0))
            self._rig.begin()
        else:
            _signal(pid, signal.SIGKILL)

    def _pause(self, kind: str, seconds: float) -> None:
        pid = self._pid(kind)
        if pid is None:
            return
        self._rig.books.note("pause", who=kind, seconds=seconds)
        self.done[f"{kind}s paused"] += 1
        _signal(pid, signal.SIGSTOP)
        threading.Event().wait(seconds)
        _signal(pid, signal.SIGCONT)

    def _pid(self, kind: str) -> int | None:
        """One of this kind; None where there is none at the moment."""
        assert self._rig.instance is not None
        if kind == "runtime":
            return self._rig.instance.process.pid
        word = WORKER if kind == "worker" else REPLICA
        found = sorted(pid for pid, line in processes_of(self._rig.data).items() if word in line)
        return self._chance.choice(found) if found else None


def _signal(pid: int, number: int) -> None:
    """To one that may have ended by itself; not to whoever has its number by now."""
    if state_of(pid) not in ("", "Z"):
        os.kill(pid, number)


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 10 + EVENTS)
def test_random_kills_and_pauses(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    with rig(tmp_path) as made:
        load = Load(made, threads=4, pause=0.05)
        chaos = Chaos(made, load, random.Random(seed))
        began = time.monotonic()
        deadline = began + SECONDS
        for number in range(KILLS):
            if time.monotonic() < deadline:
                chaos.act(number, deadline)

        def over() -> bool:
            return load.answered >= EVENTS or time.monotonic() > deadline

        eventually(over, timeout=60 + EVENTS, what="the last answer")
        load.end()
        found = made.settle(timeout=60 + EVENTS / 10)
        say(found, seed, f"chaos, {time.monotonic() - began:.0f} s: {dict(sorted(chaos.done.items()))}")
