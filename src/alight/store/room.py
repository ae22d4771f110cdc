"""Is there room for one more body? The last of it is kept for work that was already accepted.

While little is left the file system is asked for each body, where there is plenty now and then: the question lets
other threads go first, and whoever asks it for a small body waits longer for its turn than for all the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from alight.errors.store import InsufficientStorage

#: Where this many times the reserve is free, that is believed for so many seconds.
PLENTY = 4
BELIEVED = 0.1


class Room:
    """The free space of `folder`, less a `reserve` in bytes. Used by one thread."""

    def __init__(self, folder: Path, reserve: int, monotonic: Callable[[], float]) -> None:
        self._folder = str(folder)
        self._reserve = reserve
        self._monotonic = monotonic
        self._plenty_until = 0.0

    def check(self) -> None:
        """Raises `InsufficientStorage` where only the reserve is left."""
        now = self._monotonic()
        if now < self._plenty_until:
            return
        found = os.statvfs(self._folder)
        free = found.f_bavail * found.f_frsize
        if free < self._reserve:
            raise InsufficientStorage()
        if free >= PLENTY * self._reserve:
            self._plenty_until = now + BELIEVED
