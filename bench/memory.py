"""The most memory that a contender's processes held together, as PSS: what they share counts once. Linux only."""

from __future__ import annotations

import re
import threading
from types import TracebackType

from bench.processes import PROC, tree

#: Seconds between two looks; reading the maps of a process costs it a millisecond or two.
EVERY = 0.5


def pss_mb(pid: str) -> float:
    try:
        found = re.search(r"^Pss: +(\d+) kB", PROC.joinpath(pid, "smaps_rollup").read_text(), re.MULTILINE)
    except OSError:  # it has ended, or this is no Linux
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


class Peak:
    """While it is entered, it looks again and again; `mb` is the most it saw."""

    def __init__(self, roots: tuple[int, ...]) -> None:
        self.mb = 0.0
        self._roots = roots
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while self._roots:
            self.mb = max(self.mb, sum(map(pss_mb, tree(self._roots))))
            if self._over.wait(EVERY):
                break
