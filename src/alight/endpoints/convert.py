"""An XGBoost model in the old binary format, or a pickled one, becomes JSON in its place.

    python -m alight.endpoints.convert xgboost-model [--unpickle]

A release that still reads it is installed into a virtual environment that is made for this and removed after it, so
that nothing here changes, and what a pickle runs it runs there, in a process of its own. It has the rights of the user
who types the command: hence `--unpickle`, which is said only by somebody who trusts the file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

#: The last releases that read the old binary format.
LIBRARY = "xgboost-cpu>=3,<3.1" if sys.platform == "linux" else "xgboost>=3,<3.1"
#: Pickles are read best by the release that wrote them, which only the user knows.
PICKLED = "xgboost-cpu>=3,<4" if sys.platform == "linux" else "xgboost>=3,<4"

_BINARY = "import sys, xgboost; xgboost.Booster(model_file=sys.argv[1]).save_model(sys.argv[2])"
_PICKLE = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
(model.get_booster() if hasattr(model, "get_booster") else model).save_model(sys.argv[2])
"""


class CannotConvert(Exception):
    """The text says why, and what to do instead."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="alight.endpoints.convert", description=__doc__.split("\n", 1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--unpickle", action="store_true", help="the file is a pickle that you trust: loading it runs code"
    )
    parser.add_argument("--library", action="append", help=f"what to install (default: {LIBRARY}; may be given twice)")
    parser.add_argument("--python", type=Path, help="an interpreter that has the library already; nothing is installed")
    given = parser.parse_args(arguments)
    try:
        convert(given.file, given.unpickle, given.library or [PICKLED if given.unpickle else LIBRARY], given.python)
    except CannotConvert as reason:
        sys.stderr.write(f"{reason}\n")
        sys.exit(1)
    sys.stdout.write(f"{given.file} is JSON now; what it was is {old(given.file).name}.\n")


def convert(path: Path, unpickle: bool, libraries: list[str], python: Path | None) -> None:
    """Put JSON in the place of the file, which is kept beside it. Raises `CannotConvert`."""
    if not path.is_file():
        raise CannotConvert(f"There is no file {path}.")
    with path.open("rb") as file:
        head = file.read(1)
    if head == b"{":
        raise CannotConvert(f"{path} is JSON or UBJ already; it is served as it is.")
    if head == b"\x80" and not unpickle:
        raise CannotConvert(f"{path} is a pickle; loading it runs code. If you trust it, say --unpickle.")
    with tempfile.TemporaryDirectory(prefix="alight-convert-") as folder:
        if python is None:
            python = _environment(Path(folder) / "venv", libraries)
        fresh = Path(folder) / "model.json"
        _run(
            [str(python), "-I", "-c", _PICKLE if unpickle else _BINARY, str(path), str(fresh)], f"{path} cannot be read"
        )
        content = fresh.read_bytes()
    path.rename(old(path))
    path.write_bytes(content)


def old(path: Path) -> Path:
    """Where the file is kept that was converted."""
    return path.with_name(f"{path.name}.old")


def _environment(home: Path, libraries: list[str]) -> Path:
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "--quiet", *libraries], f"{' '.join(libraries)} cannot be installed")
    return python


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotConvert(f"{what}: {done.stderr.strip()[-1500:]}")


if __name__ == "__main__":
    main()
