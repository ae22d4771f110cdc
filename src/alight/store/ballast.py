"""Space that is held so that a full disk is a pause and not the end.

On a full disk SQLite cannot even delete. So a file is kept that holds nothing: where the disk is found full it is
given up, which lets work that was accepted be finished and removed, and it is taken again once there is room.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE_NAME = "ballast"
SIZE = 16 << 20

#: The ballast is taken where this many times its size is free.
_COMFORT = 4


class Ballast:
    """The file `ballast` of one data folder, of `size` bytes. Used by one thread at a time."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._size = size

    def ensure(self) -> None:
        """Take the space, where it is not held yet and there is plenty."""
        if self._path.exists():
            return
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < _COMFORT * self._size:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            _allocate(descriptor, self._size)
        except OSError:
            self.release()
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Give the space up."""
        self._path.unlink(missing_ok=True)


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        block = bytes(1 << 20)
        for _ in range(size // len(block)):
            os.write(descriptor, block)
