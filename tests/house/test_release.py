"""A release is the same each time it is built, and says of each of its files what it is."""

from __future__ import annotations

import json
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from alight import __version__
from tests.house.release import PARTS, PROVENANCE, ROOT, SUMS, NoRelease, git, release
from tests.support import find_tool


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what is released is what is committed")
@pytest.mark.tool("git")
@pytest.mark.tool("sha256sum")
@pytest.mark.slow
def test_a_release_can_be_checked(tmp_path: Path) -> None:
    target = tmp_path / "dist"
    names = [path.name for path in release(target)]
    assert names == [f"alight-{__version__}-py3-none-any.whl", f"alight-{__version__}.tar.gz", PARTS, PROVENANCE, SUMS]
    tool = find_tool("sha256sum")
    assert tool
    checked = subprocess.run([tool, "--check", "--strict", SUMS], cwd=target, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout.count(": OK")) == (0, 4), checked.stderr
    said = json.loads((target / PROVENANCE).read_text())
    assert {one["name"]: one["digest"]["sha256"] for one in said["subject"]} == {
        name: sha256((target / name).read_bytes()).hexdigest() for name in names[:2]
    }
    commit = git("rev-parse", "HEAD").decode().strip()
    assert said["predicate"]["buildDefinition"]["externalParameters"] == {"commit": commit}
    assert str(tmp_path) not in (target / PROVENANCE).read_text()
    assert json.loads((target / PARTS).read_text())["components"]
    with pytest.raises(NoRelease, match="is not empty"):
        release(target)
