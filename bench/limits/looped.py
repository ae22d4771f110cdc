"""The handler of `examples/sentiment`, unchanged and with its boto3, called in a loop by one process a core.

Its calls go to a bare server with the model (`model.py` beside this file). No API, no worker to
reach, no permission, no story.

    python bench/limits/looped.py URL REVIEWS SECONDS     # prints a line of JSON
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2] / "examples" / "sentiment" / "src"
PROCESSES = os.cpu_count() or 1


def loop(url: str, reviews: list[str], seconds: float, barrier: Any, results: Any) -> None:
    os.environ |= {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "SAGEMAKER_ENDPOINT_NAME": "judge",
    }  # fmt: skip
    sys.path.insert(0, str(SOURCE))
    handler = importlib.import_module("app").handler
    events = [{"body": review, "isBase64Encoded": False, "queryStringParameters": None} for review in reviews]
    if handler(events[0], None)["statusCode"] != 200:
        raise RuntimeError(f"The handler has no answer of {url}")
    barrier.wait()
    times: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() < begun + seconds:
        start = time.perf_counter()
        handler(events[len(times) % len(events)], None)
        times.append((time.perf_counter() - start) * 1000)
    results.put((len(times) / (time.perf_counter() - begun), times))


def measure(url: str, reviews: list[str], seconds: float, processes: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=loop, args=(url, reviews, seconds, barrier, results)) for _ in range(processes)
    ]  # fmt: skip
    for worker in workers:
        worker.start()
    found = [results.get(timeout=seconds + 60) for _ in workers]
    for worker in workers:
        worker.join()
    times = sorted(one for _, part in found for one in part)
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    return {"per_second": sum(rate for rate, _ in found), "p50": p50, "p99": p99, "done": len(times)}


def main() -> None:
    url, reviews, seconds = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), float(sys.argv[3])
    print(json.dumps({"all": measure(url, reviews, seconds, PROCESSES), "one": measure(url, reviews, seconds, 1)}))


if __name__ == "__main__":
    main()
