"""A full disk is a pause: what does not fit is refused, what is there can be read and deleted, then it goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash import full_child, full_runtime

COMMAND = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" "$3" "$1"'
#: Room for the ballast and the reserve of a real disk, and some more.
RUNTIME = 'mount -t tmpfs -o size=96m,mode=0700 tmpfs "$1" && exec "$2" -m tests.crash.full_runtime "$1" "$3"'
ROUNDS = int(os.environ.get("ALIGHT_CHAOS_FULL") or 1)


@pytest.mark.tool("unshare")
@pytest.mark.timeout(120 + 5 * full_child.ROUNDS)
def test_rounds_of_filling_and_freeing(tmp_path: Path) -> None:
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", COMMAND, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(
        [*words, full_child.__file__], capture_output=True, text=True, timeout=100 + 5 * full_child.ROUNDS
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    rounds = told["rounds"]
    refused, stored = (sum(happened[what] for happened in rounds) for what in ("InsufficientStorage", "stored"))
    print(
        f"\n{len(rounds)} rounds: {stored} stored, {refused} times refused,"
        f" {len(told['findings'])} damaged, {told['left']} files left"
    )
    assert len(rounds) == full_child.ROUNDS
    for happened in rounds:
        assert happened["InsufficientStorage"] > 0
        assert happened["stored"] >= full_child.BEFORE
        assert happened["read"] == happened["stored"]
        assert happened["deleted"] == happened["stored"]
    assert (told["findings"], told["left"]) == ([], 0)


@pytest.mark.tool("unshare")
@pytest.mark.timeout(120 + 10 * ROUNDS)
def test_the_runtime_works_off_what_it_has_accepted_and_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", RUNTIME, "sh", str(data), sys.executable, str(ROUNDS)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=110 + 10 * ROUNDS, cwd=Path(__file__).parents[2]
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    log = (tmp_path / "data.stderr").read_text() if (tmp_path / "data.stderr").exists() else ""
    assert done.returncode == 0, f"{done.stderr}\nstderr of the runtime:\n{log[-4000:]}"
    told = json.loads(done.stdout)
    rounds = told["rounds"]
    total = {name: sum(happened[name] for happened in rounds) for name in rounds[0]}
    print(f"\n{len(rounds)} rounds of the runtime: {total}, {len(told['findings'])} damaged{told['table']}")
    for happened in rounds:
        assert happened["refused"] == 3
        assert happened["stored"] > full_runtime.SMALL
        assert happened["read"] == happened["deleted"] == happened["stored"]
    assert total["on the ballast"] > 0
    assert (told["code"], told["findings"], told["wrong"]) == (0, [], [])
    numbers = told["numbers"]
    assert numbers["of them succeeded"] == numbers["answered with 200"] == numbers["arrivals"]
