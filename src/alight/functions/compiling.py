"""Compile what lies in folders, beside it: `python compiling.py FOLDER...`, by the interpreter that will import it.

Run as a script, with the standard library only and old Python versions too, as it runs under the function's
interpreter. Nothing is imported and nothing run of the code. It is a stranger's, so this process has bounds, and writes
into folders that it has made itself and nowhere else: a `__pycache__` that is there already may lead anywhere.
"""

from __future__ import annotations

import ctypes
import os
import py_compile
import resource
import signal
import stat
import sys

CACHE = "__pycache__"
#: Bytes of memory, seconds of a processor.
MEMORY = 1 << 30
SECONDS = 120
#: Comes behind all who work.
LAST = 19
DIE_WITH_PARENT = 1


def main(folders: list[str]) -> None:
    os.nice(LAST)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(limit)[1]
        try:
            resource.setrlimit(limit, (value, hard))
        except (OSError, ValueError):  # macOS refuses some
            continue
    for folder in folders:
        compile_all(folder)


def compile_all(folder: str) -> None:
    for place, _, files in os.walk(folder):  # links to folders are not followed
        if os.path.basename(place) == CACHE or os.path.lexists(os.path.join(place, CACHE)):
            continue
        for name in files:
            path = os.path.join(place, name)
            if name.endswith(".py") and stat.S_ISREG(os.lstat(path).st_mode):
                _compile(path)


def _compile(path: str) -> None:
    try:
        py_compile.compile(path, doraise=True)
    except (py_compile.PyCompileError, OSError, ValueError, RecursionError, MemoryError):
        return  # who imports it will see


if __name__ == "__main__":
    main(sys.argv[1:])
