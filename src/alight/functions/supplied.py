"""What Alight gives to functions that bring no packages of their own: boto3 and awslambdaric, as Lambda does.

A folder of links into Alight's own install, holding these two and what they need, and nothing else. It stands at
the very end of the child's import path, so a function's own packages always come first.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from alight.flush import flush_tree

SUPPLIED = ("boto3", "awslambdaric")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def has_awslambdaric() -> bool:
    """Whether AWS's client runs under Alight's own interpreter (it has compiled parts, for Linux only)."""
    return sys.platform == "linux" and importlib.util.find_spec("runtime_client") is not None


def link_supplied(folder: Path, names: tuple[str, ...] = SUPPLIED) -> Path:
    """Make (once) the folder of links to these distributions under `folder`; returns it."""
    return link_entries(folder, sorted({entry for item in _closure(names) for entry in _entries(item)}))


def link_entries(folder: Path, entries: Sequence[Path]) -> Path:
    """Make (once) a folder of links to just these packages and modules under `folder`; returns it."""
    key = hashlib.sha256("\n".join(map(str, entries)).encode()).hexdigest()[:16]
    target = folder / key
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    for entry in entries:
        (made / entry.name).symlink_to(entry)
    flush_tree(made)
    try:
        os.rename(made, target)
    except OSError:
        shutil.rmtree(made)
    return target


def _closure(names: tuple[str, ...]) -> list[Distribution]:
    """The named distributions and all they require (extras are not followed)."""
    found: dict[str, Distribution] = {}
    queue = list(names)
    while queue:
        name = queue.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        for requirement in found[name].requires or ():
            match = _NAME.match(requirement)
            if match and "extra ==" not in requirement:
                queue.append(match.group())
    return list(found.values())


def _entries(item: Distribution) -> set[Path]:
    """What stands directly in site-packages: packages, modules, compiled modules, metadata."""
    roots = set()
    for file in item.files or ():
        first = file.parts[0]
        if first not in ("..", "__pycache__", "bin"):
            roots.add(Path(str(item.locate_file(first))))
    return {root for root in roots if root.exists()}
