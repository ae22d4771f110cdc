"""A second witness of how much was promised, outside the database.

SQLite takes a damaged write-ahead log for its end: acknowledged commits vanish without a word. So every commit is
numbered, and at most a second later the number is written here. A database that knows fewer commits than the
witness, or is another one, is refused at the start instead of being believed.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from alight.errors import AlightError
from alight.store.connections import NO_ROOM, sync_descriptor

FILE_NAME = "witness"

#: Two places that are written in turn, each in a sector of its own: a torn one leaves the other.
_PLACES = (0, 4096)
_SIZE = 64


class Witness:
    """The file `witness` of one data folder: the database's identity and the number of its last known commit."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._turn = 0

    def check(self, identity: int, commits: int) -> None:
        """Raises `AlightError` where more was promised than the database knows (`identity` 0: it is empty)."""
        known = max(filter(None, map(self._read, _PLACES)), default=None)
        if known is None:
            return
        if identity and known[1] != identity:
            raise AlightError(f"{self._path.parent} holds another database than before.", self._hint())
        if known[0] > commits:
            lost = known[0] - commits
            raise AlightError(
                f"The database in {self._path.parent} has lost its last {lost} or more commits.", self._hint()
            )

    def write(self, identity: int, commits: int) -> None:
        """Record a commit that is durable (blocks for a flush); not now, where the disk is full."""
        text = f"{commits} {identity}"
        record = f"{text} {zlib.crc32(text.encode()):08x}\n".encode().ljust(_SIZE)
        try:
            os.pwrite(self._descriptor, record, _PLACES[self._turn])
        except OSError as error:
            if error.errno in NO_ROOM:
                return
            raise
        sync_descriptor(self._descriptor)
        self._turn = 1 - self._turn

    def close(self) -> None:
        os.close(self._descriptor)

    def _read(self, place: int) -> tuple[int, int] | None:
        text, _, seal = os.pread(self._descriptor, _SIZE, place).decode("ascii", "replace").strip().rpartition(" ")
        if f"{zlib.crc32(text.encode()):08x}" != seal:
            return None
        commits, _, identity = text.partition(" ")
        return int(commits), int(identity)

    def _hint(self) -> str:
        return f"Restore a backup; or go on without what is missing: remove {self._path}."
