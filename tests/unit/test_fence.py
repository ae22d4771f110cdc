"""Where Alight lies must not matter to who stands behind the fence: a checkout in any folder, an installed package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alight.fence.tiers import RAISING, Tier, offered, own_places


@pytest.mark.skipif(not offered()["abi"], reason="no Landlock in this kernel")
def test_alight_is_found_behind_the_fence_wherever_it_lies(tmp_path: Path) -> None:
    # A data folder that is hidden below /tmp leaves /tmp closed as well: a checkout there has no help from it.
    tier = Tier("landlock", offered()["abi"], own_view=False, hidden=(Path("/tmp/data"),))
    plan = tier.plan(read=own_places(), scratch=tmp_path)
    program = [sys.executable, "-c", "import alight.endpoints.replica, alight.endpoints.server; print('found')"]

    ran = subprocess.run(
        [sys.executable, "-I", RAISING, json.dumps(plan), *program], capture_output=True, text=True, timeout=60
    )

    assert (ran.returncode, ran.stdout.strip()) == (0, "found"), ran.stderr
