"""Files that are made once and found again by their name: on the disk before anybody relies on them.

A name that outlives a power cut may lead to bytes that did not. So what is unpacked, installed or fetched is flushed,
then named, then the name is flushed too.
"""

from __future__ import annotations

import os
from pathlib import Path

#: From so many files on, one flush of everything is cheaper.
_FEW_FILES = 32


def flush_tree(folder: Path) -> None:
    """Put all that lies in a folder on the disk (blocks): file by file, or all at once where there are many."""
    files = [path for path in folder.rglob("*") if not path.is_symlink()]
    if len(files) > _FEW_FILES:
        os.sync()
        return
    for path in [*files, folder]:
        flush(path)


def flush_names(folder: Path, root: Path) -> None:
    """Put the names in `folder` on the disk, and its own, up to the one in `root`, which it lies under (blocks)."""
    for place in (folder, *folder.parents):
        flush(place)
        if place in (root, place.parent):
            return


def flush(path: Path) -> None:
    """Put the bytes of a file, or the names in a folder, on the disk (blocks)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
