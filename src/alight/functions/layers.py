"""Layers of a function: several packages laid over each other into one folder, which stands for Lambda's `/opt`.

The files are links to those of the stored packages (hard ones: the folder stays whole when a package goes), later
layers over earlier ones. Where `/opt` itself cannot be made, as here, packages, programs and libraries are found by
the paths that Python and the system search; `ALIGHT_OPT` names the folder for whatever else a layer holds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alight.functions.binaries import compiled_in
from alight.functions.package import finish


def lay(packages: Sequence[Path], store: Path) -> tuple[Path, str]:
    """The folder of these unpacked packages under `store/opt`, the last on top, and its seal."""
    key = hashlib.sha256("\n".join(package.name for package in packages).encode()).hexdigest()[:32]
    target = store.absolute() / "opt" / key
    return target, _lay(packages, target)


def import_places(opt: Path, runtime: str) -> list[Path]:
    """Where Python looks for a layer's packages, in this order."""
    return [opt / "python" / "lib" / runtime / "site-packages", opt / "python"]


def compiled_for(opt: Path) -> dict[str, dict[str, list[str]]]:
    """What a layer's packages were compiled for."""
    general = compiled_in(opt / "python")
    general.pop("lib", None)
    found = {"": general}
    for folder in sorted(opt.glob("python/lib/python3.*/site-packages")):
        found[folder.parent.name.removeprefix("python")] = compiled_in(folder)
    return found


def _lay(packages: Sequence[Path], target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        for package in packages:
            for source in sorted(package.rglob("*")):
                _place(source, made / source.relative_to(package))
        return finish(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _place(source: Path, path: Path) -> None:
    """One file or folder over whatever an earlier layer has put there."""
    if source.is_dir():
        if path.is_file():
            path.unlink()
        path.mkdir(exist_ok=True)
        return
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:  # a file system without hard links, or too many of one file
        shutil.copy2(source, path)
