"""ONNX Runtime's sessions of one model: a run takes one core, and where the others idle it takes them, too.

Many requests use a machine best by one core each, in as many replicas. A request that comes alone leaves the others
idle; spread over two, an image classifier runs in little more than half the time. So the kernel is asked before each
run who else wants a core in this moment: replicas, workers, the runtime, or somebody who has nothing to do with us.
Where nobody does, a second session with more threads runs the request.

It is a second copy of the weights, and made when it is first missed, beside the requests: by a run that was alone and
took long enough. Threads may add numbers up in another order. So a session that was made by itself answers only
requests of the shape with which it was tried, and only if it gave the same bits.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from alight.endpoints import heap
from alight.endpoints.contract import CannotServe

#: How many cores a request may have that is alone: 1 for one always. More are ready from the start, for every request.
CORES = "ALIGHT_MODEL_CORES"
#: Without it: no more than these, since the gain of each further one is smaller,
MOST = 4
#: for a model of at most so many bytes,
LARGEST = 64 << 20
#: whose run takes at least so many seconds of one core: to wake threads takes its time, too.
WORTH = 0.002
Feeds = Mapping[str, Any]


class Free:
    """How many of `cores` nobody but the asking thread wants, as Linux counts in this moment. Raises `OSError`,
    `IndexError` or `ValueError` at once where it is not told."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._file = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        self()

    def __call__(self) -> int:
        running = int(os.pread(self._file, 128, 0).split()[3].partition(b"/")[0])
        # Who counts nobody, not even the one that asks, does not count.
        return self._cores + 1 - running if running else 1


class Sessions:
    """`run` is a session's. Used from one thread, beside which the wide session may be in the making."""

    def __init__(self, path: Path, narrow: Any, width: int, free: Callable[[], int]) -> None:
        """`free` is a `Free`."""
        self._path = path
        self._narrow = narrow
        self._width = width
        self._free = free
        self._wide: Any = None
        #: The only shape that the wide one may be given; None for any.
        self._shape: dict[str, Any] | None = None
        self._making: threading.Thread | None = None

    def run(self, outputs: list[str], feeds: Feeds) -> list[Any]:
        if self._free() < self._width:
            return list(self._narrow.run(outputs, feeds))
        if self._wide is None:
            return self._judge(outputs, feeds)
        session = self._wide if self._shape in (None, _shape(feeds)) else self._narrow
        return list(session.run(outputs, feeds))

    def widen(self) -> None:
        """Have the wide session, for requests of any shape."""
        self._wide = open_session(self._path, self._width)

    def _judge(self, outputs: list[str], feeds: Feeds) -> list[Any]:
        began = time.thread_time()
        found = list(self._narrow.run(outputs, feeds))
        if self._making is None and time.thread_time() - began >= WORTH:
            self._making = threading.Thread(target=self._make, args=(outputs, feeds, found), daemon=True)
            self._making.start()
        return found

    def _make(self, outputs: list[str], feeds: Feeds, found: list[Any]) -> None:
        try:
            wide = open_session(self._path, self._width)
            same = all(map(_same, wide.run(outputs, feeds), found))
        except Exception as error:  # no memory, no threads: one core has served so far
            sys.stderr.write(f"Requests stay on one core each: {' '.join(str(error).split())}\n")
            return
        if same:
            self._shape, self._wide = _shape(feeds), wide
        del wide
        heap.give_back()


def spread(path: Path, narrow: Any, environment: Mapping[str, str], cores: int | None = None) -> Any:
    """What stands for the narrow session, on as many cores as this process may use. Raises `CannotServe`."""
    asked, cores = _asked(environment), cores or _cores()
    width = min(cores, asked or MOST)
    if width < 2 or (not asked and _size(path.parent) > LARGEST):
        return narrow
    try:
        sessions = Sessions(path, narrow, width, Free(cores))
    except (OSError, IndexError, ValueError):
        return narrow
    if asked:
        sessions.widen()
    return sessions


def open_session(path: Path, threads: int) -> Any:
    """Threads look for work for a moment only, and never between two requests. Raises what ONNX Runtime raises."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(threads > 1)))
    options.add_session_config_entry("session.intra_op.spin_duration_us", "20")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(folder: Path) -> int:
    """Weights may lie in files beside the model."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _asked(environment: Mapping[str, str]) -> int:
    given = environment.get(CORES, "")
    if given and not (given.isdigit() and 1 <= int(given) <= 256):
        raise CannotServe(f"{CORES} is {given!r}; it is a number from 1 to 256.")
    return int(given or 0)


def _shape(feeds: Feeds) -> dict[str, Any]:
    return {name: np.shape(values) for name, values in feeds.items()}


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.tobytes() == other.tobytes()
