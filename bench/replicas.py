"""What a second replica gives: pictures a second with one and with two, beside the bare loop's processes.

    .venv/bin/python -m bench.replicas [--rounds 3] [--seconds 4]

In turn: 16 clients of `wrk` on one replica and on two, the loop in one process and in two. Wanted on two cores: 1.8, or
what two bare processes gain there, as client and runtime need the processor, too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import ours, wrk
from bench.cases.image import asking
from bench.limits.pictures import throughput
from bench.pipeline.case import pictures, unpacked


def rate(folder: Path, replicas: int, seconds: float) -> float:
    place = ours.app(folder / "app", ours.ENDPOINT.replace("SERVED_AS", "onnx"), ours.BIRDS / "model.tar.gz")
    with ours.running(folder, place, ALIGHT_REPLICAS=str(replicas)) as instance:
        requests = asking(instance)
        wrk.load(instance.url, requests, 16, 1)
        return wrk.load(instance.url, requests, 16, seconds).per_second


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    given = parser.parse_args(words)
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(given.rounds):
        for number in (1, 2):
            with tempfile.TemporaryDirectory() as name:
                alight = rate(Path(name), number, given.seconds)
                bare, _ = throughput(unpacked(Path(name)), pictures(), 100 * number, number)
            for who, value in (("Alight", alight), ("bare loop", bare)):
                found.setdefault((who, number), []).append(value)
                print(f"{who}, {number}: {value:.1f} a second", file=sys.stderr)
    print("| who | pictures/s with one | with two | ratio |\n|---|---|---|---|")
    for who in ("Alight", "bare loop"):
        one, two = (statistics.median(found[who, number]) for number in (1, 2))
        pairs = zip(found[who, 1], found[who, 2], strict=True)
        print(f"| {who} | {one:.0f} | {two:.0f} | {statistics.median(after / before for before, after in pairs):.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
