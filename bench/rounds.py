"""Rounds: in each of them everybody is started, put under each load, and ended, one after the other."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.case import Case, Contender, Counted, Measure
from bench.memory import Peak
from bench.processes import processor_time, spent


@dataclass(frozen=True)
class Figures:
    """What the client counted, and what it cost: milliseconds of the processor for each piece, by part; memory."""

    counted: Counted
    processor_ms: dict[str, float]
    pss_mb: float


@dataclass
class Results:
    """Of one case: by load, by contender, one `Figures` a round. Who is not there has a reason."""

    case: Case
    figures: dict[str, dict[Contender, list[Figures]]] = field(default_factory=dict)
    skipped: dict[Contender, str] = field(default_factory=dict)


def present(case: Case, peers: bool, results: Results) -> list[Contender]:
    """Who can take part; what a peer needs is installed."""
    found = []
    for contender in (case.limit, case.ours, *case.others):
        if why := _absent(contender, peers):
            results.skipped[contender] = why
        else:
            found.append(contender)
    return found


def _absent(contender: Contender, peers: bool) -> str:
    missing = [tool for tool in contender.tools if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} is not on the PATH"
    if contender.venv is None:
        return ""
    if not peers:
        return "left out (--no-peers)"
    try:
        contender.venv.install()
    except subprocess.CalledProcessError as error:
        return f"could not be installed: {error}"
    return ""


def run(case: Case, rounds: int, peers: bool) -> Results:
    """Raises where Alight or the limit fails; a peer that does is named with its reason, and left out from then on."""
    results = Results(case)
    takers = present(case, peers, results)
    for number in range(rounds):
        for contender in [one for one in takers if one not in results.skipped]:
            try:
                _round(contender, number, results)
            except Exception as error:
                if contender in (case.limit, case.ours):
                    raise
                results.skipped[contender] = f"failed in round {number + 1}: {error}"
                print(f"{contender.name} {results.skipped[contender]}", file=sys.stderr)
    return results


def _round(contender: Contender, number: int, results: Results) -> None:
    with tempfile.TemporaryDirectory() as name, contender.start(Path(name)) as work:
        for load, measure in work.loads.items():
            found = measured(measure, number, work.pids)
            results.figures.setdefault(load, {}).setdefault(contender, []).append(found)
            print(f"{load}: {contender.name}: {found}", file=sys.stderr)


def measured(measure: Measure, number: int, pids: tuple[int, ...]) -> Figures:
    before = processor_time(pids) if pids else {}
    with Peak(pids) as peak:
        counted = measure(number)
    if counted.processor_ms is not None:
        used = {"": counted.processor_ms}
    else:
        used = spent(before, processor_time(pids), max(counted.done, 1)) if pids else {}
    return Figures(counted, used, peak.mb)
