"""Random kills and pauses of runtime, workers and replicas, under load: nothing is lost, stuck, or told under two keys.

ALIGHT_CHAOS_EVENTS and ALIGHT_CHAOS_KILLS say how long it goes on; ALIGHT_TEST_SEED repeats what is done when.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.rig import Load, Rig, rig, say
from tests.support import eventually
from tests.walk.making import processes_of, state_of

EVENTS = int(os.environ.get("ALIGHT_CHAOS_EVENTS", "60"))
KILLS = int(os.environ.get("ALIGHT_CHAOS_KILLS", "10"))

#: What each child has in its command line.
WORKER, REPLICA = "launcher.py", "alight.endpoints.replica"


class Chaos:
    """Does one thing after another to whoever lives on the rig's folder, and notes it."""

    def __init__(self, rig: Rig, chance: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self._rig, self._chance = rig, chance

    def act(self) -> None:
        """One kill, sometimes after a pause of somebody."""
        threading.Event().wait(self._chance.uniform(0, 0.6))
        if self._chance.random() < 0.3:
            self._pause(self._chance.choice(["runtime", "worker", "replica"]), self._chance.uniform(0.01, 0.5))
        kind = self._chance.choices(["runtime", "worker", "replica"], [2, 2, 1])[0]
        pid = self._pid(kind)
        if pid is None:
            kind, pid = "runtime", self._pid("runtime")
        assert pid is not None
        self._kill(kind, pid)

    def _kill(self, kind: str, pid: int) -> None:
        self._rig.books.note("kill", who=kind)
        self.done[f"{kind}s killed"] += 1
        if kind == "runtime":
            assert self._rig.instance is not None
            self._rig.instance.kill()
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
        chaos = Chaos(made, random.Random(seed))
        load = Load(made, threads=4, pause=0.1)
        for _ in range(KILLS):
            chaos.act()
        eventually(lambda: load.answered >= EVENTS, timeout=60 + EVENTS, what="the last answer")
        load.end()
        say(made.settle(timeout=60 + EVENTS / 10), seed, f"chaos: {dict(sorted(chaos.done.items()))}")
