"""Which Python runs a function: one of its `Runtime`'s minor version if the machine has one, else Alight's own.

A version for which there is no boto3 any more is not looked for: a function of an old course asks for Python 3.6, and
all that it brings to it is `import boto3`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from alight.errors import AlightError

#: The first Python 3 on which the boto3 that Alight supplies runs.
OLDEST = 10
_PYTHON = re.compile(r"python3\.(\d+)")
_OTHERS = ("nodejs", "java", "dotnet", "ruby", "go")
_VERSION_OF = "import sys;print('.'.join(map(str,sys.version_info[:3])))"


class UnsupportedRuntime(AlightError):
    """A `Runtime` that Alight does not run."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """`version` is X.Y.Z. `native` says that it is Alight's own version, for which its compiled packages fit;
    `warning` is one sentence for plan, log and doctor where it is not what the function asked for."""

    path: Path
    version: str
    native: bool
    warning: str = ""


def running() -> Interpreter:
    """Alight's own interpreter, outside of its venv (whose packages are not for handlers)."""
    path = Path(getattr(sys, "_base_executable", "") or sys.executable)
    return Interpreter(path, ".".join(map(str, sys.version_info[:3])), native=True)


def check_runtime(runtime: str) -> None:
    """Raises `UnsupportedRuntime` for what can never run here: other languages, by name."""
    if _PYTHON.fullmatch(runtime) or runtime.startswith("provided"):
        return
    if runtime.startswith(_OTHERS):
        raise UnsupportedRuntime(
            f"Runtime {runtime} is not served.", "Served: python3.x, and provided.* with a `bootstrap` executable."
        )
    raise UnsupportedRuntime(f"Runtime {runtime} is unknown.", "Served: python3.x, provided.al2, provided.al2023.")


class Interpreters:
    """Finds interpreters, and remembers what it found."""

    def __init__(self) -> None:
        self._known: dict[str, Interpreter] = {}

    async def choose(self, runtime: str) -> Interpreter:
        """The interpreter for a `Runtime`; for `provided.*` the running one, which only starts the executable."""
        check_runtime(runtime)
        if runtime not in self._known:
            self._known[runtime] = await asyncio.to_thread(_find, runtime)
        return self._known[runtime]


def _find(runtime: str) -> Interpreter:
    match = _PYTHON.fullmatch(runtime)
    own = running()
    if not match or own.version.startswith(f"3.{match.group(1)}."):
        return own
    if int(match.group(1)) < OLDEST:
        warning = f"{runtime} is too old for the boto3 that is supplied: Python {own.version} runs it instead."
        return Interpreter(own.path, own.version, native=True, warning=warning)
    for path in _candidates(f"3.{match.group(1)}"):
        version = _version(path)
        if version.startswith(f"3.{match.group(1)}."):
            return Interpreter(path, version, native=False)
    warning = f"There is no {runtime} on this machine: Python {own.version} runs it instead."
    return Interpreter(own.path, own.version, native=True, warning=warning)


def _candidates(minor: str) -> list[Path]:
    """On PATH first, then where pyenv and uv keep theirs."""
    home = Path.home()
    found = [Path(path)] if (path := shutil.which(f"python{minor}")) else []
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", home / ".local/share/uv/python"))
    for folder, pattern in ((pyenv, f"{minor}.*"), (uv, f"cpython-{minor}*")):
        found += [place / "bin" / f"python{minor}" for place in sorted(folder.glob(pattern), reverse=True)]
    return [path for path in found if path.exists()]


def _version(path: Path) -> str:
    """What it says of itself: a shim on PATH may have nothing behind it."""
    try:
        answer = subprocess.run([path, "-S", "-c", _VERSION_OF], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
