"""How much memory a worker holds, and who says stop.

The limit is resident memory that cannot be reclaimed: anonymous and shared pages, of the worker and its children.
Pages of files (libraries, mapped models) do not count, as the kernel may drop them; a cgroup judges the same way.
Where a cgroup (version 2) can be made, the kernel watches; elsewhere busy workers are sampled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alight.clock import Clock
from alight.functions.processes import descendants, read_whole

#: Seconds between two looks at a busy worker.
INTERVAL = 0.1
#: Seconds for which a measure is good enough at the end of a call.
LOOK_AGAIN = 0.1
_CGROUPS = Path("/sys/fs/cgroup")
_FIELD = re.compile(rb"^(FDSize|VmHWM|RssAnon|RssFile|RssShmem):\s+(\d+)", re.MULTILINE)
_SHARE = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Usage:
    """KiB held now and, as well as can be known, at most so far; room for file descriptors (of the worker alone)."""

    held: int
    peak: int
    descriptors: int = 0


def usage(pid: int) -> Usage | None:
    """Of a process and all its descendants; None where it has gone or the system does not tell."""
    own = _process(pid)
    children = descendants(pid) if own else []
    if own is None or not children:
        return own
    held = _share(pid, own.held) + sum(_child_share(child, own.peak) for child in children)
    return Usage(held, max(own.peak, held), own.descriptors)


def _process(pid: int) -> Usage | None:
    try:
        found = {name: int(size) for name, size in _FIELD.findall(read_whole(f"/proc/{pid}/status"))}
    except OSError:
        return None
    if b"RssAnon" not in found:
        return None
    held = found[b"RssAnon"] + found[b"RssShmem"]
    return Usage(held, max(held, found[b"VmHWM"] - found[b"RssFile"]), found[b"FDSize"])


def _share(pid: int, otherwise: int) -> int:
    """Pages that a parent and its forks have in common count once: the kernel knows each one's share.

    It tells only who may trace the process; workers close themselves, so that takes privileges.
    """
    try:
        return sum(int(size) for size in _SHARE.findall(read_whole(f"/proc/{pid}/smaps_rollup")))
    except OSError:
        return otherwise


def _child_share(pid: int, parent_peak: int) -> int:
    """Where the kernel does not tell: what a child holds beyond all that its parent ever held, since any of that may
    be common to them. So a fork is counted too low rather than killed for its parent's pages."""
    found = _process(pid)
    return _share(pid, max(found.held - parent_peak, 0)) if found else 0


class Watched(Protocol):
    """A busy worker."""

    def measure(self) -> None:
        """Look at its memory; end it where it holds too much."""


class MemoryGuard:
    """Looks at busy workers every 100 ms; sleeps when there are none."""

    def __init__(self) -> None:
        self._watched: set[Watched] = set()
        self._task: asyncio.Task[None] | None = None

    def watch(self, worker: Watched) -> None:
        self._watched.add(worker)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())

    def leave(self, worker: Watched) -> None:
        self._watched.discard(worker)

    def close(self) -> None:
        self._watched.clear()
        if self._task:
            self._task.cancel()

    async def _look(self) -> None:
        while self._watched:
            await asyncio.sleep(INTERVAL)
            for worker in list(self._watched):
                worker.measure()


class Cgroup:
    """The memory cgroup of one worker."""

    def __init__(self, folder: Path, limit_mb: int) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "memory.max").write_text(str(limit_mb * 1024 * 1024))
        for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            with contextlib.suppress(OSError):
                (folder / name).write_text(value)

    def peak_kib(self) -> int:
        for name in ("memory.peak", "memory.current"):
            with contextlib.suppress(OSError, ValueError):
                return int((self.folder / name).read_text()) // 1024
        return 0

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed for this limit."""
        with contextlib.suppress(OSError):
            return any(
                line.startswith("oom_kill ") and int(line.split()[1]) > 0
                for line in (self.folder / "memory.events").read_text().splitlines()
            )
        return False

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def find_cgroup_parent(root: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Path | None:
    """Where cgroups with a memory limit can be made: our own cgroup or its parent, if that is writable."""
    try:
        line = next(line for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    folder = root / line[3:].lstrip("/")
    for candidate in (folder, folder.parent):
        if not candidate.is_relative_to(root):
            continue
        with contextlib.suppress(OSError):
            controllers = (candidate / "cgroup.subtree_control").read_text().split()
            if "memory" in controllers and os.access(candidate / "cgroup.procs", os.W_OK):
                return candidate
    return None


class Meter:
    """What one worker has held over its life, by its cgroup where it has one, else by looking."""

    def __init__(self, limit_mb: int, clock: Clock) -> None:
        self.cgroup: Cgroup | None = None
        self.descriptors = 0
        self._limit_mb = limit_mb
        self._clock = clock
        self._peak_kib = 0
        self._looked = float("-inf")

    def open_cgroup(self, parent: Path | None, name: str) -> None:
        """Let the kernel watch, where that is possible."""
        if parent:
            with contextlib.suppress(OSError):
                self.cgroup = Cgroup(parent / name, self._limit_mb)

    def look(self, pid: int) -> bool:
        """Take the measure now; False where it holds more than it may and no kernel does the watching."""
        found = usage(pid)
        self._looked = self._clock.monotonic()
        if found is None:
            return True
        self._peak_kib = max(self._peak_kib, found.peak)
        self.descriptors = found.descriptors
        return self.cgroup is not None or found.held <= self._limit_mb * 1024

    @property
    def outdated(self) -> bool:
        return self._clock.monotonic() - self._looked > LOOK_AGAIN

    @property
    def killed(self) -> bool:
        """Whether the kernel has killed for the limit."""
        return self.cgroup is not None and self.cgroup.out_of_memory()

    def used_mb(self) -> int:
        """At most so far, and never above the limit, as Lambda has it."""
        if self.cgroup:
            self._peak_kib = max(self._peak_kib, self.cgroup.peak_kib())
        return min(-(-self._peak_kib // 1024), self._limit_mb)
