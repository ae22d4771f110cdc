"""The walk, measured: one PUT to its message, and a burst of 300, beside the bare loop and a peer, in one run.

    make bench                      # or: .venv/bin/python bench/pipeline.py [--rounds 3] [--pictures 300] [--no-peer]

Every round measures the bare limit, Alight and the peer one after the other, so that a noisy machine is noisy for
all of them; medians over the rounds are printed. Durability stays on: every PUT is flushed before its answer.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import ours
import peer_ministack
from load import Burst, Put, Single, burst, single
from processes import processor_time, spent
from receiver import Receiver

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "birds"


@dataclass
class Case:
    """What is measured of one pipeline over all rounds."""

    name: str
    start: Callable[[Path, Receiver], AbstractContextManager[Put]]
    singles: list[Single]
    bursts: list[Burst]
    #: Processor milliseconds a picture by part, of each burst.
    used: list[dict[str, float]]


def pictures(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


def bare(model: Path, folder: Path, count: int) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, str(HERE / "limit.py"), str(model), str(folder), str(count)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def measure(case: Case, images: list[bytes], count: int, singles: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        receiving() as receiver,
        case.start(Path(folder), receiver) as put,
    ):
        tag = f"r{len(case.bursts)}"
        burst(put, receiver, images, 20, f"{tag}-warm")
        case.singles.append(single(put, receiver, images, singles, f"{tag}-one"))
        before = processor_time()
        case.bursts.append(burst(put, receiver, images, count, f"{tag}-all"))
        case.used.append(spent(before, processor_time(), count))


def report(cases: list[Case], limits: list[dict[str, float]], count: int) -> str:
    limit = statistics.median(item["per_second"] for item in limits)
    alone = statistics.median(item["one_ms"] for item in limits)
    names = ("onnxruntime", "pillow", "boto3", "uvicorn", "apsw")
    lines = [
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names),
        f"{count} pictures, {len(limits)} rounds, medians",
        "",
        "| pipeline | one PUT to message p50 / p99 ms | burst images/s | ratio to bare | lost | twice |",
        "|---|---|---|---|---|---|",
        f"| bare decode + infer, 2 processes | {alone:.1f} | {limit:.0f} | 1.00 | | |",
    ]
    for case in cases:
        rate = statistics.median(item.per_second for item in case.bursts)
        p50 = statistics.median(item.p50 for item in case.singles)
        p99 = statistics.median(item.p99 for item in case.singles)
        lost = sum(item.sent - item.delivered for item in case.bursts) + sum(item.lost for item in case.singles)
        twice = sum(item.duplicates for item in case.bursts)
        lines.append(f"| {case.name} | {p50:.1f} / {p99:.1f} | {rate:.0f} | {rate / limit:.2f} | {lost} | {twice} |")
    return "\n".join(lines + _processor_table(cases, limits))


def _processor_table(cases: list[Case], limits: list[dict[str, float]]) -> list[str]:
    """Where the processor's time went in the burst."""
    parts = list(dict.fromkeys(part for case in cases for used in case.used for part in used))
    if not parts:
        return []
    bare = statistics.median(item["cpu_ms"] for item in limits)
    lines = [
        "",
        f"| processor ms per picture in the burst | {' | '.join(parts)} | together | of that beside client and bare |",
        f"|---|{'---|' * len(parts)}---|---|",
        f"| bare decode + infer, 2 processes | {' | '.join('' for _ in parts)} | {bare:.1f} | |",
    ]
    for case in cases:
        middle = {part: statistics.median(used.get(part, 0.0) for used in case.used) for part in parts}
        cells = " | ".join(f"{middle[part]:.1f}" if middle[part] else "" for part in parts)
        whole = sum(middle.values())
        lines.append(f"| {case.name} | {cells} | {whole:.1f} | {whole - middle['client'] - bare:.1f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--singles", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=EXAMPLE / "pictures", help="JPEGs to send")
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args()
    cases = [Case("Alight (durable)", ours.running, [], [], [])]
    if not given.no_peer:
        cases.append(Case(f"ministack {peer_ministack.VERSION}", peer_ministack.running, [], [], []))
    images, limits = pictures(given.folder), []
    with tempfile.TemporaryDirectory() as folder:
        model = ours.unpack_model(EXAMPLE / "model.tar.gz", Path(folder))
        for _ in range(given.rounds):
            limits.append(bare(model, given.folder, given.pictures))
            for case in cases:
                measure(case, images, given.pictures, given.singles)
                print(f"{case.name}: {case.singles[-1]} {case.bursts[-1]}", file=sys.stderr)
    print(report(cases, limits, given.pictures))


if __name__ == "__main__":
    main()
