"""The data folder belongs to one process: `lock` is held for its life and names it.

The kernel drops the lock with the process, so a crash leaves nothing to clean up and a reused pid fools nobody.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from alight.errors import AlightError

FILE_NAME = "lock"


class FolderLock:
    """Take the folder, or raise `AlightError` with the pid of the process that has it."""

    def __init__(self, folder: Path) -> None:
        try:
            self._descriptor = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise AlightError(
                f"{folder} cannot be used: {error.strerror}.", "Choose another with --data DIR."
            ) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlightError(
                f"{folder} is in use by process {owner}.",
                "Stop that one first, or choose another folder with --data DIR.",
            ) from None
        # The pid is for people. A disk that is full or broken for it has the lock all the same, and is told of by name
        # as soon as the database is opened.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the folder up. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
