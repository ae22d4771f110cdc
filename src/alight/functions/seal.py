"""Stored code is what was stored: its seal is made once, kept in the function's record, and compared before it runs.

All files are read once in a life of the runtime; later starts look at their sizes, times and places only, and read
again where one of these has changed.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from alight.functions.invocation import FunctionSpec
from alight.seal import CACHES, entries, name_in, seal_of

Look = tuple[tuple[object, ...], ...]


class Seals:
    """What was compared in this life."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[str, Look]] = {}
        #: One look at a folder at a time: it throws away what another, for a worker beside, would stumble over.
        self._guards: dict[Path, threading.Lock] = {}

    def refusal(self, spec: FunctionSpec) -> str:
        """Why a function is not to be run as it lies there (blocks); empty where all of it is as it was stored."""
        broken = [folder for folder, seal in spec.seals.items() if self._broken(folder, seal)]
        if not broken:
            return ""
        return (
            f"The code of {spec.name} in {broken[0]} is not what was uploaded: a file was changed, or the disk has "
            "damaged it. It was not run. Upload it again, then `alight events redrive`."
        )

    def _broken(self, folder: Path, seal: str) -> bool:
        with self._guards.setdefault(folder, threading.Lock()):
            return self._differs(folder, seal)

    def _differs(self, folder: Path, seal: str) -> bool:
        try:
            look = _look(folder)
            if self._seen.get(folder) == (seal, look):
                return False
            # Made from code that nobody has looked at; Python makes it again, of what is looked at now.
            for cache in list(folder.rglob(CACHES)):
                shutil.rmtree(cache, ignore_errors=True)
            if seal_of(folder) != seal:
                return True
        except OSError:
            return True
        self._seen[folder] = (seal, look)
        return False


def _look(folder: Path) -> Look:
    return tuple(
        (name_in(path, folder), s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in entries(folder)
    )
