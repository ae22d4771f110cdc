"""A function's code on disk: what a folder or a zip file holds, stored under the hash of its content.

Code is copied first and named last, so a folder that has its final name is complete, and equal code is stored once.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alight.errors import AlightError
from alight.flush import flush_names, flush_tree
from alight.functions.archive import ENTRY_LIMIT, UNPACKED_LIMIT, UnsafeArchive, unpack
from alight.functions.binaries import Compiled, compiled_in, misfits
from alight.functions.interpreters import Interpreters, running
from alight.functions.venvs import ensure_venv
from alight.seal import seal_of

#: Folders that belong to tools, not to the code.
SKIPPED = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".aws-sam", ".venv", ".alight", ".mypy_cache", ".pytest_cache"}
)


@dataclass(frozen=True, slots=True)
class Package:
    """`code_hash` is the SHA-256 (hex) of the zip file, or of a folder's names and contents; `size` in bytes, that of
    the zip file where it is one; `unpacked` that of all files. `compiled` says for which Python its compiled packages
    were built, `seal` what the folder held when it was stored."""

    code_hash: str
    code_dir: Path
    venv: Path | None
    size: int
    compiled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unpacked: int = 0
    seal: str = ""


async def prepare(
    source: Path, store: Path, *, progress: Callable[[str], None], runtime: str | None = None,
    interpreters: Interpreters | None = None,
) -> Package:  # fmt: skip
    """Store code from a folder or zip file under `store/code`, its requirements under `store/venvs`.

    The venv is made for `runtime`'s interpreter. Raises `AlightError` for what cannot be stored or installed.
    """
    code_hash, code_dir, size, seal = await asyncio.to_thread(_store, source, store)
    interpreter = await (interpreters or Interpreters()).choose(runtime) if runtime else running()
    venv = await ensure_venv(
        code_dir, code_dir.parents[1] / "venvs", interpreter, code_hash=code_hash, progress=progress
    )
    compiled, unpacked = await asyncio.to_thread(lambda: (compiled_in(code_dir), size_of(code_dir)))
    return Package(code_hash, code_dir, venv, size, compiled, unpacked, seal)


async def keep(source: Path, store: Path) -> Package:
    """Store a folder or zip file under `store/code` as it is: a layer. Raises `AlightError` for what cannot be."""
    code_hash, code_dir, size, seal = await asyncio.to_thread(_store, source, store)
    return Package(code_hash, code_dir, None, size, seal=seal)


async def unfit(compiled: Compiled, runtime: str, venv: Path | None) -> tuple[str, ...]:
    """What is to be known of compiled packages, were they run as `runtime` with these requirements. Raises
    `UnsupportedRuntime`."""
    interpreter = await Interpreters().choose(runtime)
    if not compiled or not runtime.startswith("python"):
        return ()
    return tuple(map(str, await asyncio.to_thread(misfits, compiled, interpreter, venv)))


def discard_unused(store: Path, keep: Collection[Path]) -> int:
    """Delete stored code and venvs that are not in `keep`, and halves of them; returns how many.

    For the start of the runtime, while nothing is being prepared and nothing runs.
    """
    kept = {path.absolute() for path in keep}
    unused = [
        path
        for folder in (store / "code", store / "venvs", store / "opt")
        if folder.is_dir()
        for path in folder.absolute().iterdir()
        if path not in kept
    ]
    for path in unused:
        shutil.rmtree(path, ignore_errors=True)
    return len(unused)


def _store(source: Path, store: Path) -> tuple[str, Path, int, str]:
    source, store = source.absolute(), store.absolute()
    folder = store / "code"
    folder.mkdir(parents=True, exist_ok=True)
    zipped = source.is_file()
    if zipped:
        code_hash, size = _digest(source), source.stat().st_size
    elif not source.is_dir():
        raise AlightError(f"There is no function code at {source}.")
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        if zipped:
            unpack(source, made)
        else:
            code_hash, size = _copy(source, made, store)
        target = folder / code_hash
        return code_hash, target, size, finish(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def finish(made: Path, target: Path) -> str:
    """Give a folder that is complete its name, once all of it is on the disk; returns its seal. One that has the name
    already stays, unless the disk has changed it since: what is stored again is whole again."""
    made.chmod(0o755)
    seal = seal_of(made)
    if target.is_dir():
        if seal_of(target) == seal:
            return seal
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
        os.rename(target, aside / target.name)
        shutil.rmtree(aside, ignore_errors=True)
    flush_tree(made)
    try:
        os.rename(made, target)
    except OSError:
        # Somebody else was first; what has that name is the same.
        if not target.is_dir():
            raise
    # Of the data folder's own names, too: `functions/code` may have been made for this.
    flush_names(target.parent, target.parents[2])
    return seal


def size_of(folder: Path) -> int:
    """Bytes of all files, but for what Python has left there since."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return sum(path.stat().st_size for path in files)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path, store: Path) -> tuple[str, int]:
    """Copy a folder; links are followed inside of it and refused where they lead out."""
    digest = hashlib.sha256()
    size = count = 0
    for path in _files(source, source.resolve(), store):
        count += 1
        size += path.stat().st_size
        if size > UNPACKED_LIMIT or count > ENTRY_LIMIT:
            raise UnsafeArchive(
                f"Unzipped size must be smaller than {UNPACKED_LIMIT} bytes; {source} holds more.",
                "Leave models and data to a bucket or an endpoint.",
            )
        relative = path.relative_to(source)
        copied = target / relative
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
        executable = bool(path.stat().st_mode & 0o111)
        copied.chmod(0o755 if executable else 0o644)
        digest.update(
            f"{relative.as_posix()}\0{int(executable)}\0{_digest(copied)}\n".encode("utf-8", "surrogateescape")
        )
    if not count:
        raise AlightError(f"There is no function code in {source}: the folder is empty.")
    return digest.hexdigest(), size


def _files(folder: Path, root: Path, store: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Plain files by name, in an order that does not depend on the file system."""
    place = folder.resolve()
    if place in above:
        raise UnsafeArchive(f"{folder} links to a folder above it.", "Take the link out of the function's code.")
    for path in sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name)):
        if path.is_symlink() and not _inside(path, root):
            raise UnsafeArchive(f"{path} links to a place outside of {root}.", "Copy the file there instead.")
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            if path.name not in SKIPPED and path.resolve() not in (store, store.parent):
                yield from _files(path, root, store, (*above, place))
        elif stat.S_ISREG(mode):
            yield path
        else:
            raise UnsafeArchive(f"{path} is neither file nor folder.", "Take it out of the function's code.")


def _inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False
