"""A folder's seal: one number for all that lies in it, by which code is known again, before it runs and at `verify`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

#: What Python leaves beside code where it may write; nobody promised it.
CACHES = "__pycache__"


def seal_of(folder: Path) -> str:
    """SHA-256 (hex) of names, contents and who may execute them of all that lies in a folder (blocks)."""
    whole = hashlib.sha256()
    for path, status in entries(folder):
        whole.update(
            f"{name_in(path, folder)}\0{int(bool(status.st_mode & 0o111))}\0".encode("utf-8", "surrogateescape")
        )
        if stat.S_ISREG(status.st_mode):
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        else:
            whole.update(b"no plain file")
    return whole.hexdigest()


def entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All but folders, in one order. Raises `OSError` where there is no such folder."""
    for path in sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name)):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            yield path, status
        elif path.name != CACHES:
            yield from entries(path)


def name_in(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
