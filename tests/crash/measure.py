"""What a process has used, from `/proc`: on a busy machine this says more than the clock on the wall."""

from __future__ import annotations

import os
from pathlib import Path


def processor_seconds(pid: int) -> float:
    """Of this process and its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> float:
    """The most that was resident so far, in MB."""
    return _kilobytes(pid, "VmHWM") / 1024


def memory(pid: int) -> float:
    """What is resident now, in MB."""
    return _kilobytes(pid, "VmRSS") / 1024


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _kilobytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/{pid}/status has no {name}")
