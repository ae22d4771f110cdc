"""Everything that is measured, beside bare limits and peers, in one run and one table.

    make bench                                      # all of it, into docs/benchmarks.md; about a quarter of an hour
    .venv/bin/python -m bench --only put,api        # some of it, printed only
    .venv/bin/python -m bench --no-peers --tiny     # whether it still runs

Everybody is started anew for each round, in turn, and is alone while it is measured. Peers are installed into venvs of
their own, `.venv-bench-NAME`; what needs a tool that is not there (wrk, redis-server) is named and left out. The load
comes from other processes than those that are measured. Progress and every single figure go to stderr.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import rounds, table
from bench.case import Case, Size
from bench.cases import api, image, put, review, text
from bench.pipeline import case as pipeline

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
CASES: dict[str, Callable[[Size, Path], Case]] = {
    "pipeline": pipeline.case,
    "image": image.case,
    "text": text.case,
    "api": api.case,
    "review": review.case,
    "put": put.case,
}


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CASES), help=f"some of {','.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=Size.seconds, help="of each load that has no end of its own")
    parser.add_argument("--no-peers", action="store_true", help="Alight and the limits only")
    parser.add_argument("--tiny", action="store_true", help="next to nothing of everything")
    parser.add_argument("--write", action="store_true", help="the table into docs/benchmarks.md, too")
    given = parser.parse_args(words)
    chosen = given.only.split(",")
    if unknown := set(chosen) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}: there are {', '.join(CASES)}")
    if given.write and set(chosen) != set(CASES):
        parser.error("--write wants all cases, or the page would lose the others")
    size = Size.tiny() if given.tiny else Size(seconds=given.seconds)
    with tempfile.TemporaryDirectory() as name:
        results = [
            rounds.run(CASES[word](size, Path(name)), given.rounds, not given.no_peers) for word in chosen
        ]  # fmt: skip
    found = table.text(results, given.rounds, size)
    if given.write:
        table.write(PAGE, found)
    print(found)


if __name__ == "__main__":
    main(sys.argv[1:])
