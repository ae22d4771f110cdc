"""The bare limit: decode and infer in a loop, two processes, nothing else. What a user's machine can do at all.

    python bench/limit.py MODEL_DIR PICTURES_DIR COUNT

prints one JSON line: images per second of two processes together and the processor's milliseconds for each image, and
milliseconds for one picture alone.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alight.endpoints.contract import Request
from alight.endpoints.models.onnx import OnnxModel

PROCESSES = 2


def classifier(model: Path) -> Callable[[bytes], Any]:
    """The same decode and the same session settings as a replica's, called in a loop."""
    served = OnnxModel.open(model)
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


def throughput(model: Path, pictures: list[bytes], count: int) -> tuple[float, float]:
    """Images per second, and processor milliseconds for each."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    workers = [
        context.Process(target=loop, args=(model, pictures, count // PROCESSES, barrier, results))
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    spans = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    done = count // PROCESSES * PROCESSES
    rate = done / (max(end for _, end, _ in spans) - min(start for start, _, _ in spans))
    return rate, sum(used for _, _, used in spans) * 1000 / done


def alone(model: Path, pictures: list[bytes]) -> float:
    classify = classifier(model)
    times = []
    for number in range(60):
        start = time.perf_counter()
        classify(pictures[number % len(pictures)])
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[10:])


def main() -> None:
    model, folder, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    rate, used = throughput(model, pictures, count)
    print(json.dumps({"per_second": rate, "cpu_ms": used, "one_ms": alone(model, pictures)}))


if __name__ == "__main__":
    main()
