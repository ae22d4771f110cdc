"""What `sam build` or `pip install --target` does, without a network: packages of this environment go into a zip."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path

#: A date that zip files can hold, so that equal content makes equal files.
_WHEN = (2020, 1, 1, 0, 0, 0)


def build_zip(target: Path, code: Path, packages: Iterable[str]) -> Path:
    """A function's zip file: the modules in `code` and the named distributions."""
    files = {path.relative_to(code).as_posix(): path for path in sorted(code.rglob("*.py"))}
    for name in packages:
        files |= _files(name)
    with zipfile.ZipFile(target, "w") as archive:
        for inside, path in files.items():
            archive.writestr(zipfile.ZipInfo(inside, _WHEN), path.read_bytes())
    return target


def _files(name: str) -> dict[str, Path]:
    """Scripts and caches stay; metadata goes along, as packages ask for their versions."""
    return {
        file.as_posix(): Path(str(file.locate()))
        for file in distribution(name).files or ()
        if file.parts[0] != ".." and file.suffix != ".pyc" and "__pycache__" not in file.parts
    }


def build_wheel(folder: Path, name: str, version: str, modules: Mapping[str, str]) -> Path:
    """A wheel of pure Python, written by hand: no build tools, no network."""
    info = f"{name}-{version}.dist-info"
    texts = dict(modules) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},{_digest(text)},{len(text.encode())}" for path, text in texts.items()]
    texts[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in texts.items():
            archive.writestr(zipfile.ZipInfo(path, _WHEN), text)
    return wheel


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def rebuild_wheel(folder: Path, name: str) -> Path:
    """The wheel that a distribution of this environment came from, made again of its files."""
    files = _files(name)
    [info] = {path.partition("/")[0] for path in files if path.partition("/")[0].endswith(".dist-info")}
    installers = {f"{info}/{file}" for file in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")}
    kept = {inside: path for inside, path in files.items() if inside not in installers}
    tags = [line.split()[1] for line in files[f"{info}/WHEEL"].read_text().splitlines() if line.startswith("Tag:")]
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{info.removesuffix('.dist-info')}-{tags[0]}.whl"
    record = [f"{inside},," for inside in [*kept, f"{info}/RECORD"]]
    with zipfile.ZipFile(wheel, "w") as archive:
        for inside, path in kept.items():
            archive.writestr(zipfile.ZipInfo(inside, _WHEN), path.read_bytes())
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", _WHEN), "\n".join([*record, ""]))
    return wheel
