"""One child process and its kin: started without `fork` handlers, waited for by the loop, killed with all it left.

A worker leads a session and a process group of its own. It adopts its orphaned descendants (see launcher), so a walk
down from it finds those too that left the group.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PROC = Path("/proc")
#: Looks for descendants that had forked before they were stopped.
_ROUNDS = 8
#: Looks at a process that is about to become another program, and seconds between them.
_LOOKS = 200
_BLINK = 0.001


class ChildProcess:
    """A started worker. `exited` is set once it has ended and been reaped; `returncode` as in `Popen`."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], plan: bytes, output: int,
        on_exit: Callable[[], None], inherited: socket.socket | None = None,
    ) -> None:  # fmt: skip
        """`plan` (below 64 KiB, or it would block) is written to the child's stdin; `inherited` becomes the
        child's, too."""
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self.exited = asyncio.Event()
        reader, self._stdin = os.pipe()
        try:
            self._process = subprocess.Popen(
                command, stdin=reader, stdout=output, stderr=output, env=dict(environment), start_new_session=True,
                pass_fds=() if inherited is None else (inherited.fileno(),),
            )  # fmt: skip
        except BaseException:
            os.close(self._stdin)
            raise
        finally:
            os.close(reader)
        self.pid = self._process.pid
        with contextlib.suppress(BrokenPipeError):
            os.write(self._stdin, plan + b"\n")
        self._handle = _pidfd(self.pid)
        if self._handle is None:
            threading.Thread(target=self._wait_in_thread, daemon=True, name=f"wait-{self.pid}").start()
        else:
            self._loop.add_reader(self._handle, self._ended)

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL for the group and for every descendant outside it; all are stopped first, so that none forks away."""
        if self.exited.is_set():
            return
        _signal_group(self.pid, signal.SIGSTOP)
        stopped: set[int] = set()
        for _ in range(_ROUNDS):
            found = set(descendants(self.pid)) - stopped
            if not found:
                break
            for pid in found:
                _signal(pid, signal.SIGSTOP)
            stopped |= found
        for pid in stopped:
            _signal(pid, signal.SIGKILL)
        _signal_group(self.pid, signal.SIGKILL)

    def _wait_in_thread(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop has gone first
            self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        if self._handle is not None:
            self._loop.remove_reader(self._handle)
            os.close(self._handle)
        # Before it is reaped its pid, and so its group's id, cannot belong to anybody else.
        _signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._stdin)
        self.exited.set()
        self._on_exit()


def descendants(pid: int) -> list[int]:
    """Children, their children and so on; empty where the system does not tell."""
    found: list[int] = []
    queue = [pid]
    while queue:
        parent = queue.pop()
        try:
            tasks = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for task in tasks:
            with contextlib.suppress(OSError):
                children = [int(child) for child in read_whole(f"/proc/{parent}/task/{task}/children").split()]
                found += children
                queue += children
    return found


def read_whole(path: str) -> bytes:
    """A file of /proc, in four calls to the system where a file object makes nine: workers are looked at often."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 16_384):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def kill_marked(mark: str) -> int:
    """Kill every process whose environment holds `mark`: what escaped its worker's group. Returns how many.

    The mark is a folder of ours that stands in the environment of our workers alone.
    """
    killed = 0
    needle = mark.encode()
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if needle in environment_of(int(entry.name)):
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    return killed


def environment_of(pid: int) -> bytes:
    """What a process was given as its environment (blocks for a moment). Raises `OSError` where it cannot be read.

    In the middle of `exec` there is none to be seen, and what has just been started would pass for somebody else's.
    """
    path = f"/proc/{pid}/environ"
    for _ in range(_LOOKS):
        if found := read_whole(path):
            return found
        if not _is_starting(pid):
            break
        time.sleep(_BLINK)
    return read_whole(path)


def _is_starting(pid: int) -> bool:
    """Whether it has memory, and Linux has not yet put the program into it, which comes behind the environment."""
    # Behind the name, which may hold anything: the fields of proc_pid_stat(5) from the third.
    fields = read_whole(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    memory, program = int(fields[20]), int(fields[23])
    return bool(memory) and not program


def _pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
