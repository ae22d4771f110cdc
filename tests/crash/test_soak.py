"""Many events one after another leave what a runtime holds as it was, its memory and its descriptors; each begins soon,
and costs little.

ALIGHT_CHAOS_SOAK says for how many seconds events come in, ALIGHT_CHAOS_SOAK_RATE how many a second at most. What it
holds is looked at every now and then; the begin of the second half is compared with the last tenth, so that what a
start and the first of everything take is not counted.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crash.measure import memory, open_files, processor_seconds
from tests.crash.rig import KEEPS_BOOKS, TOLD_BY_WEBHOOK, House, Load, Rig, rig, say
from tests.walk.making import books, processes_of

SECONDS = float(os.environ.get("ALIGHT_CHAOS_SOAK") or 6)
RATE = float(os.environ.get("ALIGHT_CHAOS_SOAK_RATE") or 30)
#: MB that the runtime may grow by from there to there in a minute, and hold however long it lasts: the caches of
#: SQLite, 32 MB for each of two databases and 16 for each of their readers, fill with the first thousands of events.
GROWTH, MOST = 12.0, 256.0
#: Seconds: a tenth of all events has begun so soon after its answer, and each costs the runtime so much of the
#: processor. Loose on purpose, as other work may be on the machine: what is seen is a loop that looks now and then.
SOON, COST = 0.5, 0.03
#: Descriptors: those of connections come and go.
FILES = 12

CODE = (
    KEEPS_BOOKS
    + """
def handler(event, context):
    tell(begun(event, context), context, "told")
"""
)


@dataclass
class Held:
    """What the runtime, and all of its processes, held at moments of the run (seconds)."""

    moments: list[float] = field(default_factory=list)
    runtime: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)

    def look(self, made: Rig, began: float) -> None:
        assert made.instance is not None
        pids = [pid for pid in processes_of(made.data) if Path(f"/proc/{pid}/status").exists()]
        self.moments.append(time.monotonic() - began)
        self.all.append(sum(_memory(pid) for pid in pids))
        runtime = runtime_of(made)
        self.runtime.append(memory(runtime))
        self.files.append(open_files(runtime))

    def part(self, values: list[float], begin: float, end: float) -> float:
        """The median of those in this part of the run."""
        most = self.moments[-1]
        return statistics.median(
            value for moment, value in zip(self.moments, values, strict=True) if begin * most <= moment <= end * most
        )

    def growth(self, values: list[float]) -> float:
        return self.part(values, 0.9, 1.0) - self.part(values, 0.5, 0.6)


def runtime_of(made: Rig) -> int:
    [pid] = [pid for pid, line in processes_of(made.data).items() if "alight.app" in line]
    return pid


def waits(data: Path) -> list[float]:
    """Seconds from each event's acceptance to its first attempt, shortest first."""
    journal = sqlite3.connect(f"file:{data / 'alight.db'}?mode=ro", uri=True)
    rows = journal.execute(
        "SELECT min(a.started) - e.accepted FROM events e JOIN attempts a ON a.event_id = e.id GROUP BY e.id"
    ).fetchall()
    journal.close()
    return sorted(float(row[0]) for row in rows)


def _memory(pid: int) -> float:
    try:
        return memory(pid)
    except (OSError, AssertionError):  # it has ended
        return 0.0


@pytest.mark.slow
@pytest.mark.timeout(240 + SECONDS * 3)
def test_what_a_runtime_holds_stays_as_it_is(tmp_path: Path) -> None:
    with rig(tmp_path, House(CODE, replicas=0, terms=TOLD_BY_WEBHOOK)) as made:
        instance = made.instance
        assert instance is not None
        used = processor_seconds(runtime_of(made))
        load, held, began = Load(made, threads=2, pause=2 / RATE), Held(), time.monotonic()
        while time.monotonic() < began + SECONDS:
            threading.Event().wait(max(0.2, SECONDS / 400))
            held.look(made, began)
        load.end()
        lasted = held.moments[-1]
        journal = sum(path.stat().st_size for path in made.data.glob("alight.db*"))
        accepted, used = books(instance)["accepted"], processor_seconds(runtime_of(made)) - used
        found = made.settle(120)
        waited = waits(made.data)
    cost = used / max(accepted, 1)
    # The growth is between the middles of two parts of the run, four tenths of it apart.
    slope = held.growth(held.runtime) / (lasted * 0.4) * 3600
    told = [
        f"{accepted} events in {lasted:.0f} s",
        f"runtime {held.part(held.runtime, 0.5, 0.6):.1f} MB, later {held.part(held.runtime, 0.9, 1.0):.1f} MB"
        f" ({slope:+.1f} MB an hour), all processes {held.growth(held.all):+.1f} MB",
        f"descriptors {held.part(held.files, 0.5, 0.6):.0f}, later {held.part(held.files, 0.9, 1.0):.0f}",
        f"journal {journal / max(accepted, 1):.0f} bytes an event",
        f"begun {1000 * waited[len(waited) // 2]:.0f} ms after the answer, 99 % within"
        f" {1000 * waited[len(waited) * 99 // 100]:.0f} ms",
        f"{1000 * cost:.1f} ms of the runtime's processor time for each",
    ]
    say(found, None, "; ".join(told))
    assert found.numbers["of them dead letters"] == 0
    assert waited[len(waited) // 10] <= SOON
    assert cost <= COST
    assert abs(held.growth(held.files)) <= FILES
    assert max(held.runtime) <= MOST
    assert lasted > 60 or held.growth(held.runtime) <= GROWTH
