"""`requirements.txt` becomes a venv, made once per content and interpreter, by uv where there is one, else by pip."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from alight.errors import AlightError
from alight.flush import flush_names, flush_tree
from alight.functions.interpreters import Interpreter

#: Seconds that an installation may take, and lines of its output that an error shows.
INSTALL_LIMIT = 1800
TAIL_LINES = 20
#: Lines that cannot mean a file of the function's own: a name with its version, an address, an index, a switch.
_ELSEWHERE = re.compile(
    r"""
    (?! [\w.+-]* \.(whl|zip|tgz|tar\.\w+)\b)
    \w[\w.-]* \s* (\[[\w\s,.-]*\])? \s* (@\s*(https?|git\+\w+)://.* | ([<>=!~;(\\][^/\#]*)? (\#.*)?) $
    | (https?|git\+\w+)://
    | --(no-index|pre|prefer-binary|require-hashes|hash|only-binary|no-binary|trusted-host|index-url|extra-index-url)\b
    | -i\b
    | (--find-links|-f) [\s=]* (/|https?://)
    """,
    re.VERBOSE,
)
_FORGET = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")


class InstallError(AlightError):
    """The packages of a function cannot be installed."""


async def ensure_venv(
    code_dir: Path, folder: Path, interpreter: Interpreter, *, code_hash: str, progress: Callable[[str], None]
) -> Path | None:
    """The venv for `code_dir/requirements.txt` under `folder`; None where nothing is required.

    Raises `InstallError` with the end of the installer's output.
    """
    requirements = code_dir / "requirements.txt"
    wanted = _lines(requirements) if requirements.is_file() else []
    if not wanted:
        return None
    target = folder / _key(wanted, interpreter, code_hash)
    if target.is_dir():
        return target
    made = await asyncio.to_thread(_new_folder, folder)
    try:
        await _build(made, requirements, interpreter, progress)
        await asyncio.to_thread(_finish, made, target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return target


def find_uv() -> str | None:
    """uv beside Alight's own Python, or on PATH."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")


def _new_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".new-", dir=folder))


def _lines(requirements: Path) -> list[str]:
    text = requirements.read_text(encoding="utf-8-sig", errors="replace")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _key(wanted: Sequence[str], interpreter: Interpreter, code_hash: str) -> str:
    """Requirements that point into the code itself are as old as that code."""
    local = not all(_ELSEWHERE.match(line) for line in wanted)
    parts = [*wanted, interpreter.version, str(interpreter.path), sys.platform, code_hash if local else ""]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


async def _build(
    folder: Path, requirements: Path, interpreter: Interpreter, progress: Callable[[str], None]
) -> None:  # fmt: skip
    uv = find_uv()
    progress(f"Installing {requirements} with {'uv' if uv else 'pip'}")
    python = str(folder / "bin" / "python")
    if uv:
        make = [uv, "venv", "--quiet", "--no-project", "--allow-existing", "--python", str(interpreter.path)]
        install = [uv, "pip", "install", "--no-progress", "--compile-bytecode", "--python", python]
    else:
        make = [str(interpreter.path), "-m", "venv"]
        install = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    await _run([*make, str(folder)], requirements)
    await _run([*install, "-r", str(requirements)], requirements)
    progress(f"Installed {requirements}")


async def _run(command: Sequence[str], requirements: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=requirements.parent, env=_environment(os.environ), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), INSTALL_LIMIT)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        tail = "\n".join(output.decode("utf-8", "replace").splitlines()[-TAIL_LINES:])
        raise InstallError(f"{requirements} cannot be installed:\n{tail}\n", "Correct it, then apply again.")


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Index and proxy settings stay; what would lead the installer elsewhere goes."""
    return {name: value for name, value in given.items() if name not in _FORGET and not name.startswith("AWS_")}


def _finish(made: Path, target: Path) -> None:
    """Scripts name the folder in which they were made; then the folder takes its place, whole or not at all."""
    for script in (made / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        text = script.read_bytes()
        if str(made).encode() in text:
            script.write_bytes(text.replace(str(made).encode(), str(target).encode()))
    flush_tree(made)
    try:
        os.rename(made, target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(made)
    flush_names(target.parent, target.parents[2])
