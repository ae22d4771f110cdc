"""What local files hold, as one short text: a changed handler or model is a changed resource."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

#: What running or editing leaves behind in a source folder.
IGNORED = frozenset({"__pycache__", ".git", ".aws-sam", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".DS_Store"})


def fingerprint(path: Path) -> str:
    """SHA-256 (first 16 hex digits) over names, modes' execute bit and bytes of a file or folder; "missing" if none."""
    digest = hashlib.sha256()
    if path.is_file():
        _add(digest, path, path.name)
    elif path.is_dir():
        for file in _files(path):
            _add(digest, file, file.relative_to(path).as_posix())
    else:
        return "missing"
    return digest.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        for name in sorted(files):
            if name not in IGNORED and not name.endswith(".pyc"):
                yield Path(where, name)


def _add(digest: hashlib._Hash, path: Path, name: str) -> None:
    if not path.is_file():
        return
    with path.open("rb") as file:
        body = hashlib.file_digest(file, "sha256").digest()
    executable = b"x" if path.stat().st_mode & 0o100 else b"-"
    digest.update(name.encode(errors="surrogateescape") + b"\0" + executable + body)
