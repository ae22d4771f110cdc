"""The bare limit of pictures: decode and infer in a loop, one process a core, nothing else.

    python bench/limits/pictures.py MODEL_FOLDER PICTURES_FOLDER COUNT

prints one line of JSON: pictures a second of all processes together, the processor's milliseconds for each, and
milliseconds for one picture alone, median and slowest hundredth.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alight.endpoints.contract import Request
from alight.endpoints.models.onnx import OnnxModel

PROCESSES = os.cpu_count() or 1


def classifier(model: Path) -> Callable[[bytes], Any]:
    """The same decode and the same session settings as a replica's, called in a loop; on one core always."""
    served = OnnxModel.open(model, {"ALIGHT_MODEL_CORES": "1"})
    return lambda picture: served.answer(Request(picture, "application/x-image", "application/json"))


def loop(model: Path, pictures: list[bytes], count: int, barrier: Any, results: Any) -> None:
    classify = classifier(model)
    for picture in pictures:
        classify(picture)
    barrier.wait()
    start, used = time.perf_counter(), time.process_time()
    for number in range(count):
        classify(pictures[number % len(pictures)])
    results.put((start, time.perf_counter(), time.process_time() - used))


def throughput(model: Path, pictures: list[bytes], count: int, processes: int) -> tuple[float, float]:
    """Pictures a second, and processor milliseconds for each."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    each = -(-count // processes)
    workers = [
        context.Process(target=loop, args=(model, pictures, each, barrier, results)) for _ in range(processes)
    ]  # fmt: skip
    for worker in workers:
        worker.start()
    spans = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    done = each * processes
    rate = done / (max(end for _, end, _ in spans) - min(start for start, _, _ in spans))
    return rate, sum(used for _, _, used in spans) * 1000 / done


def alone(model: Path, pictures: list[bytes], count: int) -> list[float]:
    classify = classifier(model)
    times = []
    for number in range(count + min(count, 10)):
        start = time.perf_counter()
        classify(pictures[number % len(pictures)])
        times.append((time.perf_counter() - start) * 1000)
    return sorted(times[min(count, 10) :])


def main() -> None:
    model, folder, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    rate, used = throughput(model, pictures, count, PROCESSES)
    times = alone(model, pictures, min(count, 50))
    found = {"per_second": rate, "cpu_ms": used, "done": count, "one_ms": statistics.median(times)}
    print(json.dumps(found | {"one_p99_ms": times[int(len(times) * 0.99)]}))


if __name__ == "__main__":
    main()
