"""What a data folder says about its instance without asking it: where it is, whether it lives."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from alight.errors import AlightError
from alight.settings import load_settings

FILE_NAME = "instance.json"


class NotRunning(AlightError):
    """There is no instance to ask."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """What an instance writes about itself into its data folder. `started` is in seconds since 1970."""

    url: str
    pid: int
    started: float
    version: str


def data_folder(given: Path | None) -> Path:
    """`--data`, or what `alight.toml` here or `ALIGHT_DATA` say, or `.alight`."""
    return given if given is not None else load_settings(Path.cwd()).data


def read_facts(data: Path) -> Facts | None:
    """What the folder's last instance wrote, or None; whether it still runs is another question."""
    try:
        given = json.loads((data / FILE_NAME).read_text())
        return Facts(str(given["url"]), int(given["pid"]), float(given["started"]), str(given["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def reachable(host: str) -> str:
    """An instance that listens on every address is reached on the loopback one."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
