"""`make parts`: what Alight is made of, as a CycloneDX document, from the locked list. Scanners of weaknesses read it.

Each part has its version, the sums of all files that may be installed for it, and its licence where it is installed.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from alight import __version__

LOCK = Path(__file__).parents[2] / "requirements" / "run.txt"
_PART = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<where>[^\\\n]+?))? \\\n(?P<sums>(?: +--hash.*\n?)+)", re.M
)
_SUM = re.compile(r"--hash=sha256:([0-9a-f]{64})")
#: Longer ones are the licence itself, which is no name.
_LICENCE_NAME = 60


def document(lock: str) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "alight", "version": __version__}},
        "components": [_component(found) for found in _PART.finditer(lock)],
    }


def _component(found: re.Match[str]) -> dict[str, Any]:
    name, version = found["name"], found["version"]
    part: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": one} for one in _SUM.findall(found["sums"])],
    }
    if found["where"]:
        part["properties"] = [{"name": "alight:where", "value": found["where"]}]
    if licences := _licences(name, version):
        part["licenses"] = licences
    return part


def _licences(name: str, version: str) -> list[dict[str, Any]]:
    """What the part says of itself; nothing where another version is installed, or none."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return []
    if said["Version"] != version:
        return []
    if "License-Expression" in said:
        return [{"expression": said["License-Expression"]}]
    words = said["License"].strip() if "License" in said else ""
    return [{"license": {"name": words}}] if 0 < len(words) <= _LICENCE_NAME else []


if __name__ == "__main__":
    json.dump(document(LOCK.read_text()), sys.stdout, indent=2)
    sys.stdout.write("\n")
