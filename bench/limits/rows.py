"""The bare limit of rows: parse one, predict it, write the number, again and again, one process a core.

    python bench/limits/rows.py MODEL_FOLDER ROWS SECONDS

ROWS holds a line of CSV each. Prints a line of JSON: rows a second, and milliseconds for one alone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from alight.endpoints.contract import Request
from alight.endpoints.models.xgboost import XgboostModel

PROCESSES = os.cpu_count() or 1


def loop(folder: Path, lines: list[bytes], seconds: float, barrier: Any, results: Any) -> None:
    model = XgboostModel.open(folder, {})
    requests = [Request(line, "text/csv", None) for line in lines]
    barrier.wait()
    times: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() < begun + seconds:
        start = time.perf_counter()
        model.answer(requests[len(times) % len(requests)])
        times.append((time.perf_counter() - start) * 1000)
    results.put((len(times) / (time.perf_counter() - begun), sorted(times)))


def measure(folder: Path, lines: list[bytes], seconds: float, processes: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=loop, args=(folder, lines, seconds, barrier, results)) for _ in range(processes)
    ]  # fmt: skip
    for worker in workers:
        worker.start()
    found = [results.get(timeout=seconds + 60) for _ in workers]
    for worker in workers:
        worker.join()
    times = found[0][1]
    return {
        "per_second": sum(rate for rate, _ in found),
        "p50": statistics.median(times),
        "p99": times[int(len(times) * 0.99)],
        "done": sum(len(times) for _, times in found),
    }


def main() -> None:
    folder, lines, seconds = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes().splitlines(), float(sys.argv[3])
    print(json.dumps({"all": measure(folder, lines, seconds, PROCESSES), "one": measure(folder, lines, seconds, 1)}))


if __name__ == "__main__":
    main()
