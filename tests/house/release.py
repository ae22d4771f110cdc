"""`make release`: what a release consists of, in `dist/`, with what somebody needs to check it.

The wheel and the sources are built from what is committed, in a folder of their own, twice: where the two differ in a
byte there is no release. Beside them lie `parts.json` (what it is made of, `parts.py`), `provenance.json` (from which
commit, by which tools, with the sums of what came out: a statement of in-toto's form) and `SHA256SUMS`, which is what
is signed: `gpg --armor --detach-sign dist/SHA256SUMS`, by whoever releases, with a key that no machine of a build has.
"""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.house import parts

ROOT = Path(__file__).parents[2]
BUILDERS = ("hatchling", "pathspec", "packaging", "trove-classifiers")
SUMS, PARTS, PROVENANCE = "SHA256SUMS", "parts.json", "provenance.json"


class NoRelease(Exception):
    """Why there is none."""


def git(*words: str, root: Path = ROOT) -> bytes:
    return subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True).stdout


def build(commit: str, target: Path, root: Path = ROOT) -> list[Path]:
    """Wheel and sources of a commit, whose moment is that of all files in them."""
    moment = git("show", "--no-patch", "--format=%ct", commit, root=root).decode().strip()
    with tempfile.TemporaryDirectory() as name:
        with tarfile.open(fileobj=io.BytesIO(git("archive", commit, root=root))) as archive:
            archive.extractall(name, filter="data")
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(target.absolute())]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": moment}
        done = subprocess.run(command, cwd=name, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise NoRelease(done.stderr)
    return sorted([*target.glob("*.whl"), *target.glob("*.tar.gz")])


def provenance(commit: str, lock: bytes, made: list[Path]) -> dict[str, Any]:
    """Says nothing of the machine."""
    inputs = [
        {"uri": "git+commit", "digest": {"gitCommit": commit}},
        {"uri": "requirements/run.txt", "digest": {"sha256": sha256(lock).hexdigest()}},
    ]
    tools = {"python": platform.python_version()} | {name: version(name) for name in BUILDERS}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": sum_of(path)}} for path in made],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "make release",
                "externalParameters": {"commit": commit},
                "internalParameters": tools,
                "resolvedDependencies": inputs,
            },
            "runDetails": {"builder": {"id": "tests/house/release.py"}},
        },
    }


def sum_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def release(target: Path, root: Path = ROOT, commit: str = "HEAD") -> list[Path]:
    """All files of a release. Raises `NoRelease`."""
    commit = git("rev-parse", commit, root=root).decode().strip()
    target.mkdir(parents=True, exist_ok=True)
    if left := list(target.iterdir()):
        raise NoRelease(f"{target} is not empty: {left[0].name}")
    made = build(commit, target, root)
    with tempfile.TemporaryDirectory() as name:
        again = build(commit, Path(name), root)
        differ = [one.name for one, other in zip(made, again, strict=True) if sum_of(one) != sum_of(other)]
    if differ:
        raise NoRelease(f"built twice, these differ: {', '.join(differ)}")
    lock = git("show", f"{commit}:requirements/run.txt", root=root)
    for name, content in (
        (PARTS, parts.document(lock.decode())),
        (PROVENANCE, provenance(commit, lock, made)),
    ):
        (target / name).write_text(json.dumps(content, indent=2) + "\n")
    files = [*made, target / PARTS, target / PROVENANCE]
    (target / SUMS).write_text("".join(f"{sum_of(path)}  {path.name}\n" for path in files))
    return [*files, target / SUMS]


def main() -> int:
    if git("status", "--porcelain"):
        print("What is not committed would not be in it.", file=sys.stderr)
        return 1
    try:
        for path in release(ROOT / "dist"):
            print(path.relative_to(ROOT))
    except NoRelease as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
