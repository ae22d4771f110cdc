"""`python -m alight.store.offline TASK ...`: what may be done to a data folder on which nobody runs.

    verify FOLDER            backup FOLDER TARGET            restore BACKUP FOLDER

The command line starts it, as it never opens a database itself. It holds the folder's lock meanwhile and prints one
JSON object: the answer, or `{"error": sentence, "hint": sentence}` with exit code 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alight import __version__
from alight.clock import SystemClock
from alight.errors import AlightError
from alight.store.backup import back_up, restore
from alight.store.ground import FILE_NAME
from alight.store.lock import FolderLock
from alight.store.verify import verify


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    if not (folder / FILE_NAME).exists():
        raise AlightError(f"There is no data of Alight in {folder}.", "Name its folder with --data DIR.")
    lock = FolderLock(folder)
    try:
        yield
    finally:
        lock.release()


def perform(words: Sequence[str]) -> dict[str, Any]:
    """Raises `AlightError`."""
    match words:
        case ["verify", folder]:
            with _held(Path(folder)):
                return {"damage": [asdict(finding) for finding in verify(Path(folder))]}
        case ["backup", folder, target]:
            with _held(Path(folder)):
                now = SystemClock().now()
                return asdict(back_up(Path(folder), Path(target), version=__version__, created=now))
        case ["restore", backup, folder]:
            return asdict(restore(Path(backup), Path(folder)))
    raise AlightError(f"{' '.join(words)} is no task.", "verify FOLDER | backup FOLDER TARGET | restore BACKUP FOLDER")


def main(words: Sequence[str]) -> int:
    try:
        answer, code = perform(words), 0
    except AlightError as error:
        answer, code = {"error": error.message, "hint": error.hint}, 2
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
