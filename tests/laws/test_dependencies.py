"""What is imported is declared: by the package in its dependencies, by tests and benchmarks in the group `dev`.

And what is declared is locked, so that a fresh clone has it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.laws.source import PACKAGE, ROOT, Module, imports, modules

OWN = {"alight", "tests", "bench"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: Iterable[object]) -> set[str]:
    """The normalised names of requirements; included groups are left out."""
    return {_normal(re.split(r"[^\w.-]", item)[0]) for item in requirements if isinstance(item, str)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def undeclared(found: Iterable[Module], declared: set[str], owners: Mapping[str, list[str]]) -> list[str]:
    broken = set()
    for module in found:
        for item in imports(module):
            top = item.target.split(".")[0]
            if top in OWN or top in sys.stdlib_module_names:
                continue
            if not {_normal(name) for name in owners.get(top, [top])} & declared:
                broken.add(f"{module.name} imports {top}")
    return sorted(broken)


def unlocked(declared: Iterable[str], text: str) -> list[str]:
    locked = {_normal(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    return sorted(set(declared) - locked)


@cache
def _owners() -> Mapping[str, list[str]]:
    """Who has brought each module; every file of every package is looked at, once."""
    return packages_distributions()


def _declared_by_package() -> set[str]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    # An extra may name other extras of the package itself.
    return names([*PROJECT["project"]["dependencies"], *(item for extra in extras for item in extra)]) - {"alight"}


def _scripts(folder: Path) -> list[Module]:
    """Modules of a folder that is no package: neighbours that import each other are their own."""
    return [Module(path.relative_to(ROOT).as_posix(), path.read_text()) for path in sorted(folder.rglob("*.py"))]


def test_the_package_imports_what_it_declares() -> None:
    own = modules(PACKAGE)
    assert undeclared(own, _declared_by_package(), _owners()) == []


def test_tests_import_what_dev_declares() -> None:
    declared = _declared_by_package() | names(PROJECT["dependency-groups"]["dev"])
    helpers = {path.stem: ["alight"] for path in (ROOT / "tests").rglob("*.py")}
    owners = {name: list(found) for name, found in _owners().items()}
    assert undeclared(_scripts(ROOT / "tests"), declared | {"alight"}, helpers | owners) == []


def test_what_is_declared_is_locked() -> None:
    run = (ROOT / "requirements" / "run.txt").read_text()
    dev = (ROOT / "requirements" / "dev.txt").read_text()
    groups = PROJECT["dependency-groups"]
    assert unlocked(_declared_by_package() | names(groups["build"]), run) == []
    assert unlocked(names(groups["dev"]), dev) == []
    assert unlocked(names(re.findall(r"^[\w.-]+", run, re.MULTILINE)), dev) == []


def test_an_undeclared_import_is_seen() -> None:
    bad = Module("alight.x", "import yaml\nfrom left_pad import pad\n")
    assert undeclared([bad], {"pyyaml"}, {"yaml": ["PyYAML"]}) == ["alight.x imports left_pad"]


def test_what_is_not_locked_is_seen() -> None:
    assert unlocked({"a", "b"}, "a==1 \\\n    --hash=sha256:00\n") == ["b"]
