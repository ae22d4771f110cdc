"""Where a function's code lies: its record says so relative to the folder of all functions, so that a data folder may
be moved, or restored from a backup, and its functions run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alight.functions.package import Package


def named(package: Package, folder: Path) -> dict[str, Any]:
    """What the record says of a package that was stored under `folder`."""
    top = folder.absolute()
    venv = str(package.venv.relative_to(top)) if package.venv else None
    return {
        "Dir": str(package.code_dir.relative_to(top)),
        "Venv": venv,
        "Compiled": dict(package.compiled),
        "Unpacked": package.unpacked,
        "Seal": package.seal,
    }


def code_of(code: Mapping[str, Any], folder: Path) -> tuple[Path, Path | None]:
    """The folders of code and venv of a record. (Records of 0.1 hold whole paths, which stay what they are.)"""
    return folder / code["Dir"], folder / code["Venv"] if code["Venv"] else None


def opt_of(body: Mapping[str, Any], folder: Path) -> Path | None:
    """The folder of a function's layers, where it has some."""
    return folder / body["Opt"]["Dir"] if body.get("Opt") else None


def all_of(body: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Every folder that a function, or a version of one, needs."""
    return (path for path in (*code_of(body["Code"], folder), opt_of(body, folder)) if path is not None)


def seals_of(body: Mapping[str, Any], folder: Path) -> dict[Path, str]:
    """What a function's folders held when they were stored. (Records of before 0.2 do not say.)"""
    code, opt = body["Code"], body.get("Opt") or {}
    return {folder / place["Dir"]: place["Seal"] for place in (code, opt) if place.get("Seal")}


def compiled_of(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """For which Python the compiled packages were built that a function imports: its own come before its layers'."""
    layers = (body.get("Opt") or {}).get("Compiled", {})
    version = body["Configuration"]["Runtime"].removeprefix("python")
    return {**layers.get("", {}), **layers.get(version, {}), **body["Code"].get("Compiled", {})}
