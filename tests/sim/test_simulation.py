"""Dispatcher and outbox on virtual time: whatever a seed makes of them, nothing is lost or doubled.

A seed that fails is printed with the end of its story; `ALIGHT_TEST_SEED` runs it again, step by step the same.
`ALIGHT_CHAOS_SIMULATIONS` says how many seeds are run from there on.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from alight.store import ground
from alight.store.statements import load_statements
from tests.sim.simulation import Run, make_template, simulate

SIMULATIONS = int(os.environ.get("ALIGHT_CHAOS_SIMULATIONS") or 100)
#: In memory, where the machine has such a place: no simulation depends on what a disk keeps.
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def template(folder: Path) -> Path:
    return make_template(folder)


@pytest.fixture(autouse=True)
def statements_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "load_statements", cache(load_statements))


@pytest.mark.timeout(60 + SIMULATIONS)
def test_nothing_is_lost_or_doubled_whatever_a_seed_makes_of_it(folder: Path, template: Path) -> None:
    first = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    began, total, failed = time.process_time(), Counter[str](), list[Exception]()
    for seed in range(first, first + SIMULATIONS):
        try:
            total += count(simulate(seed, template, folder / str(seed)))
        except Exception as error:
            failed.append(error)
    rate, days = SIMULATIONS / (time.process_time() - began), total.pop("seconds") / 86_400
    print(f"\nseeds {first} to {first + SIMULATIONS - 1}: {SIMULATIONS} simulations, {len(failed)} failed;", end=" ")
    print(f"{rate:.0f} each second of processor time, {days:.1f} days of their own")
    print(", ".join(f"{number} {name}" for name, number in sorted(total.items())))
    if failed:
        raise ExceptionGroup(f"{len(failed)} of {SIMULATIONS} seeds from {first} on failed", failed[:5])
    wanted = ("crashes", "stops", "late publishes", "repeats", "dead", "sends that tried a silent host")
    assert SIMULATIONS < 50 or all(total[name] for name in wanted)


def test_the_same_seed_is_the_same_run(folder: Path, template: Path) -> None:
    stories = set()
    for seed in (7, 8, 9):
        again = [simulate(seed, template, folder / f"again-{seed}") for _ in range(2)]
        assert again[0].ledger.trace == again[1].ledger.trace
        assert again[0].ledger.steps == again[1].ledger.steps
        stories.add(again[0].ledger.trace)
    assert len(stories) == 3


def count(run: Run) -> Counter[str]:
    ledger = run.ledger
    return Counter(run.states) + Counter(
        {
            "steps": ledger.steps,
            "crashes": ledger.crashes,
            "stops": ledger.stops,
            "late publishes": ledger.late,
            "attempts": len(ledger.began),
            "sends": len(ledger.sends),
            "sends that tried a silent host": ledger.probes,
            "repeats": run.repeats,
            "seconds": int(run.seconds),
        }
    )
