"""A full disk is a pause: what does not fit is refused, what is there can be read and deleted, then it goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash import full_child

COMMAND = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" "$3" "$1"'


@pytest.mark.tool("unshare")
def test_ten_rounds_of_filling_and_freeing(tmp_path: Path) -> None:
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", COMMAND, "sh", str(tmp_path), sys.executable]
    done = subprocess.run([*words, full_child.__file__], capture_output=True, text=True, timeout=100)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for happened in told["rounds"]:
        assert happened["InsufficientStorage"] > 0
        assert happened["stored"] >= full_child.BEFORE
        assert happened["deleted"] == happened["stored"]
    assert (told["findings"], told["left"]) == ([], 0)
