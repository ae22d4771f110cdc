"""Packages in a function's code, compiled once for all its workers, after the first of them has started.

Workers may not write into their code (`fence`), so each of them would compile what it imports of it: two fifths of the
start of one that imports numpy. What is compiled lies in `__pycache__`, of which nothing is promised: the next life
of the runtime throws it away and makes it again, of code that it has looked at (`seal`).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from alight.fence.tiers import NONE, RAISING, Tier, home_of
from alight.functions.interpreters import Interpreter

COMPILING = Path(__file__).with_name("compiling.py")
#: Files of Python in a folder below which a process of its own would cost more than all workers together.
FEW = 20


class Bytecode:
    """What was compiled in this life."""

    def __init__(self, fence: Tier = NONE) -> None:
        self._fence = fence
        self._asked: set[tuple[Path, Path]] = set()
        self._running: set[asyncio.subprocess.Process] = set()
        self._closed = False

    async def make(self, folders: Iterable[Path], interpreter: Interpreter) -> None:
        """Compile what has not been yet. Whether it goes well is nobody's business: workers then do it themselves."""
        new = {(folder, interpreter.path) for folder in folders} - self._asked
        self._asked |= new
        for folder, _ in sorted(new):
            if await asyncio.to_thread(_is_large, folder):
                await self._compile(folder, interpreter)

    async def _compile(self, folder: Path, interpreter: Interpreter) -> None:
        """Behind the fence, with nothing to write but this folder: a compiler that reads a stranger's text may err."""
        if self._closed:
            return
        nowhere = asyncio.subprocess.DEVNULL
        command: list[str | Path] = [interpreter.path, "-I", "-S", COMPILING, folder]
        if plan := self._fence.plan(read=[home_of(interpreter.path), COMPILING], scratch=folder, network=False):
            command[:0] = [sys.executable, "-I", "-S", RAISING, json.dumps(plan)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env={}
            )
        except OSError:
            return
        self._running.add(process)
        if self._closed:
            self.close()
        await process.wait()
        self._running.discard(process)

    def close(self) -> None:
        """Nothing is compiled any more; `make` returns."""
        self._closed = True
        for process in self._running:
            if process.returncode is None:
                process.kill()


def _is_large(folder: Path) -> bool:
    found = 0
    for path in folder.rglob("*.py"):
        found += path.is_file()
        if found >= FEW:
            return True
    return False
