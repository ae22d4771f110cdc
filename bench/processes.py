"""Processor time by part of a pipeline: on a busy machine it says more than the clock on the wall does.

Linux only (`/proc`); elsewhere the tables have no such columns.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

#: What stands in a process's command line, and which part of the pipeline that is. The first that fits counts.
PARTS = (
    ("alight.endpoints.replica", "replicas"),
    ("alight/functions/", "workers"),
    ("awslambdaric", "workers"),
    ("alight.app", "runtime"),
    ("ministack", "peer"),
    ("alight.console.shrinker", "thumbnails"),
    ("--type=renderer", "renderer"),
    ("--type=gpu-process", "painter"),
    ("chromium", "browser"),
)
PROC = Path("/proc")


def processor_time(roots: tuple[int, ...] = ()) -> dict[str, float]:
    """Seconds that each part has used so far: of the processes named and all that they started; where none is named,
    of this process (the client and the receiver) and all that it started."""
    own = os.times()
    used = {} if roots else {"client": own.user + own.system}
    if not PROC.joinpath("self", "stat").exists():
        return {}
    for pid in tree(roots) if roots else _descendants({str(os.getpid())}):
        try:
            command = PROC.joinpath(pid, "cmdline").read_bytes().decode("utf-8", "replace")
            fields = _fields(pid)
        except OSError:
            continue
        part = next((name for mark, name in PARTS if mark in command), "others")
        used[part] = used.get(part, 0.0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def spent(before: dict[str, float], after: dict[str, float], pictures: int) -> dict[str, float]:
    """Milliseconds a picture, by part. A process that ended in between takes its time along."""
    return {part: max(after[part] - before.get(part, 0.0), 0.0) * 1000 / pictures for part in after}


def tree(roots: Iterable[int]) -> list[str]:
    """These processes and all that they started."""
    own = {str(root) for root in roots}
    return [*sorted(own), *_descendants(own)]


def _descendants(roots: set[str]) -> list[str]:
    parents: dict[str, str] = {}
    for entry in PROC.iterdir() if PROC.exists() else ():
        if entry.name.isdigit():
            try:
                parents[entry.name] = _fields(entry.name)[1]
            except OSError:
                continue
    found, level = list[str](), roots
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += level
    return found


def _fields(pid: str) -> list[str]:
    """Those of `/proc/PID/stat` behind the name, which may have blanks in it: state, parent ..."""
    return PROC.joinpath(pid, "stat").read_text().rpartition(")")[2].split()
