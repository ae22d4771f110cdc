"""`python -m tests.fuzz NAME --seconds 60`: one parser is given bytes that are nearly right; exit 1 at a crash.

Where atheris is installed (by hand: it has wheels for Linux alone, so it is on no list), libFuzzer chooses the bytes by
the lines that they reach; else they are changed at random, and `--seed` repeats it. `all` takes one after the other.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any


def at_random(name: str, seconds: float, seed: int) -> int:
    from tests.fuzz.entries import entry
    from tests.fuzz.running import run

    chosen = entry(name)
    until = time.monotonic() + seconds
    try:
        count = run(chosen, random.Random(seed), lambda count: time.monotonic() > until)
    except Exception:
        traceback.print_exc()
        print(f"{name}: a crash, seed {seed}")
        return 1
    print(f"{name}: {count:,} in {seconds:g} s, 0 crashes, seed {seed}")
    return 0


def guided(name: str, seconds: float, seed: int) -> None:
    """Ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["alight"]):
        from tests.fuzz.entries import entry
    chosen = entry(name)
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(chosen.seeds):
            (Path(corpus) / f"{number:04}").write_bytes(data)
        flags = [f"-max_total_time={seconds:g}", f"-seed={seed}", "-max_len=20000", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={name}-", corpus], chosen.take)
        atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", help="an entry of tests/fuzz/entries.py, or all")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(1, 1 << 31)
    if given.name == "all":
        from tests.fuzz.entries import names

        again = [sys.executable, "-m", "tests.fuzz", "--seconds", str(given.seconds), "--seed", str(seed)]
        return max(subprocess.run([*again, name]).returncode for name in names())
    if importlib.util.find_spec("atheris"):
        guided(given.name, given.seconds, seed)
    return at_random(given.name, given.seconds, seed)


if __name__ == "__main__":
    sys.exit(main())
