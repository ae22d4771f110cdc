"""Benches do not rot: each of them runs with next to nothing to do, and their table says what was measured.

Two cases in every run; `ALIGHT_CHAOS_BENCH=1` takes all that need no peer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import rounds, table
from bench.__main__ import CASES
from bench.case import Case, Contender, Counted, Size, Work
from tests.laws.source import ROOT
from tests.support import clean_environment

ONLY = ",".join(CASES) if os.environ.get("ALIGHT_CHAOS_BENCH") else "text,put"


@pytest.mark.timeout(660)
@pytest.mark.tool("wrk")
def test_each_bench_measures_alight_beside_its_limit() -> None:
    command = [sys.executable, "-m", "bench", "--tiny", "--no-peers", "--rounds", "1", "--only", ONLY]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=clean_environment(), timeout=600)
    assert found.returncode == 0, found.stderr[-3000:]
    rows = [row for line in found.stdout.splitlines() if len(row := line.split(" | ")) == 9 and row[1] != "by"]
    assert len([row for row in rows if row[1].startswith("Alight")]) == 2 * len(ONLY.split(",")), found.stdout
    assert all(float(row[2]) > 0 and row[6] == "0" for row in rows), found.stdout
    assert all(float(row[4]) > 0 for row in rows), "each beside its limit"


def contender(name: str, rate: float, *, tools: tuple[str, ...] = (), lost: int = 0) -> Contender:
    @contextmanager
    def start(folder: Path) -> Iterator[Work]:
        if rate < 0:
            raise RuntimeError("it broke")
        yield Work({"a load": lambda number: Counted(rate + number, 2.0, 3.0, 10, {"lost": lost})}, (os.getpid(),))

    return Contender(name, start, tools=tools)


def test_the_table_has_medians_ratios_and_a_reason_for_everybody_who_is_missing() -> None:
    limit, ours = contender("limit", 100), contender("Alight", 50)
    others = (contender("slow", 20, lost=1), contender("absent", 1, tools=("no-such-tool",)), contender("broken", -1))
    found = rounds.run(Case("some", limit, ours, others), rounds=3, peers=True)
    text = table.text([found], 3, Size.tiny())
    by = {row.split(" | ")[1]: row.split(" | ") for row in text.splitlines() if row.startswith("| a load")}
    assert set(by) == {"limit", "Alight", "slow"}
    assert (by["Alight"][2], by["Alight"][4]) == ("51", "0.50")
    assert (by["slow"][5], by["slow"][6]) == ("2.43", "3 lost")
    assert float(by["Alight"][8].rstrip(" |")) > 1, "megabytes of this process"
    assert "absent: no-such-tool is not on the PATH" in text
    assert "broken: failed in round 1: it broke" in text


def test_what_alight_cannot_do_ends_the_bench() -> None:
    with pytest.raises(RuntimeError, match="it broke"):
        rounds.run(Case("some", contender("limit", 1), contender("Alight", -1)), rounds=1, peers=True)


def test_the_page_keeps_what_stands_around_the_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write(page, "new")
    assert page.read_text() == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="has no place for the table"):
        table.write(page, "new")


def test_the_documented_page_has_a_place_for_the_table() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert table.BEGIN in page.partition(table.END)[0]
