"""Compiled modules in a function's package: for which Python and system they were built, and what becomes of those
that do not fit the Python that runs the function.

A package that was zipped for another Python (numpy for 3.6, as many courses have it) cannot be imported here. Where
the function's requirements have that package, or Alight has it itself and its own Python runs the function, that copy
is put before the one in the zip, and the log, the function's `StateReason` and doctor say so; else they say what to do.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

from alight.functions.interpreters import Interpreter

#: `name.cpython-36m-x86_64-linux-gnu.so`, `name.cp36-win_amd64.pyd`: the tag is what stands between the points.
_TAGGED = re.compile(r"(?P<stem>[^.]+)\.(?P<tag>(?:cpython-|cp|pypy|graalpy)\d[\w-]*)\.(?:so|pyd)")
_WHEEL_TAG = re.compile(r"Tag: cp(?P<python>\d+)-(?P<abi>cp\d+[a-z]*)-(?P<system>\w+)", re.MULTILINE)
_BUILT_FOR = re.compile(r"(?:cpython-|cp)(?P<major>\d)(?P<minor>\d+)[a-z]*-(?P<system>.+)")
#: Top-level name -> the tags for which all its compiled modules are there.
Compiled = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A package that the Python of the function cannot load. What takes its place: the one of the function's
    requirements (`required`), or `supplied`, a distribution of Alight's own; or neither."""

    name: str
    tag: str
    python: str
    required: bool = False
    supplied: str = ""

    def __str__(self) -> str:
        said = f"{self.name} in the package is built for {_words(self.tag)}; Python {self.python} cannot load it here"
        if self.required:
            return f"{said}: the one of requirements.txt is used instead."
        if self.supplied:
            return f"{said}: Alight's own {self.name} {version(self.supplied)} is used instead."
        return f"{said}. Put it into requirements.txt, or pack its wheel for this Python."


def compiled_in(root: Path) -> dict[str, list[str]]:
    """What is compiled in a folder of packages; modules that fit any Python 3 (abi3, no tag) ask for nothing."""
    modules: dict[tuple[str, str], set[str]] = {}
    untagged: set[str] = set()
    for path in (*root.rglob("*.so"), *root.rglob("*.pyd")):
        inside = path.relative_to(root)
        top = inside.parts[0].partition(".")[0]
        if match := _TAGGED.fullmatch(path.name):
            modules.setdefault((top, str(inside.with_name(match["stem"]))), set()).add(match["tag"])
        elif ".abi3." not in path.name and len(inside.parts) > 1:
            untagged.add(top)
    for top, tags in _by_wheels(root, untagged):
        modules.setdefault((top, ""), set()).update(tags)
    found: dict[str, set[str]] = {}
    for (top, _), tags in modules.items():
        found[top] = found[top] & tags if top in found else set(tags)
    return {top: sorted(tags) or ["several"] for top, tags in sorted(found.items())}


def misfits(compiled: Compiled, interpreter: Interpreter, venv: Path | None = None) -> tuple[Misfit, ...]:
    """Those of the packages that this Python cannot load; `venv` holds the function's requirements."""
    major, minor = interpreter.version.split(".")[:2]
    own = str(sysconfig.get_config_var("SOABI") or "").split("-", 2)
    fits = re.compile(rf"cpython-{major}{minor}m?-{re.escape(own[-1])}")
    odd = {name: tags for name, tags in compiled.items() if not any(fits.fullmatch(tag) for tag in tags)}
    if not odd:
        return ()
    installed = packages_distributions() if interpreter.native else {}
    site = site_packages(venv, interpreter) if venv else None
    found = []
    for name, tags in odd.items():
        required = site is not None and bool(entries_of(site, name))
        supplied = installed[name][0] if name in installed and not required else ""
        found.append(Misfit(name, next(iter(tags)), f"{major}.{minor}", required, supplied))
    return tuple(found)


def site_packages(venv: Path, interpreter: Interpreter) -> Path:
    """Where a venv holds its packages."""
    return venv / "lib" / f"python{'.'.join(interpreter.version.split('.')[:2])}" / "site-packages"


def entries_of(site: Path, name: str) -> list[Path]:
    """The package or module of that name."""
    return [path for path in (site / name, site / f"{name}.py", *site.glob(f"{name}.*.so")) if path.exists()]


def _by_wheels(root: Path, tops: Collection[str]) -> Iterator[tuple[str, set[str]]]:
    """What wheels say of packages whose modules' names say nothing."""
    for wheel in root.glob("*.dist-info/WHEEL") if tops else ():
        tags = {f"{tag['abi']}-{tag['system']}" for tag in _WHEEL_TAG.finditer(wheel.read_text(errors="replace"))}
        record = wheel.with_name("RECORD")
        if not tags or not record.is_file():
            continue
        named = {line.partition("/")[0] for line in record.read_text(errors="replace").splitlines() if ".so," in line}
        yield from ((top, {_soabi(tag) for tag in tags}) for top in sorted(named & set(tops)))


def _soabi(tag: str) -> str:
    """A wheel's `cp36m-manylinux1_x86_64` in the spelling of a module's name."""
    abi, _, system = tag.partition("-")
    if match := re.fullmatch(r"(?:many|musl)?linux.*?_(x86_64|aarch64|armv7l|i686|ppc64le|s390x)", system):
        system = f"{match[1]}-linux-{'musl' if system.startswith('musl') else 'gnu'}"
    elif system.startswith("macosx"):
        system = "darwin"
    return f"cpython-{abi.removeprefix('cp')}-{system}"


def _words(tag: str) -> str:
    match = _BUILT_FOR.fullmatch(tag)
    return f"Python {match['major']}.{match['minor']} ({tag})" if match else f"another Python ({tag})"
