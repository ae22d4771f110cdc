"""What AWS's translator said of a template, from one Alight's folder to the next one's.

Alight keeps it for its next start (`alight.stacks.expand`), by what was asked; each test has a folder of its own and
would pay the translator, half a second of processor time, for the same few templates again and again.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


def hand_over(data: Path) -> None:
    """Into a folder that is not there yet."""
    if not data.exists():
        data.mkdir(mode=0o700, parents=True)
        shutil.copytree(_kept(), data / "stacks")


def take_over(data: Path) -> None:
    """What a folder has more than others."""
    for answer in (data / "stacks").glob("*.json"):
        if not (_kept() / answer.name).exists():
            shutil.copy(answer, _kept())


@cache
def _kept() -> Path:
    """As long as this process lives."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
