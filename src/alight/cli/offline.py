"""What commands ask of a data folder on which nobody runs, done by a process of the store (`alight.store.offline`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from alight.errors import AlightError


def offline(task: str, *paths: Path) -> Any:
    """The answer. Raises `AlightError` with the store's own words."""
    command = [sys.executable, "-m", "alight.store.offline", task, *map(str, paths)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise AlightError(f"{task} broke off.", done.stderr.strip()[-2000:] or "It said nothing.") from None
    if "error" in answer:
        raise AlightError(answer["error"], answer["hint"])
    return answer
