"""The bare limit of a review: the handler's own words and the model in one process, nothing in between.

    python bench/limits/judge.py REVIEWS SECONDS     # prints a line of JSON

REVIEWS is a JSON list. With SECONDS of 0 the answers are printed, in their order.
"""

from __future__ import annotations

import json
import statistics
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import xgboost

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sentiment"
sys.path.insert(0, str(EXAMPLE / "src"))
from words import bow_encoding, review_to_words  # noqa: E402  (the example's own)


class Judge:
    """What one review costs at least."""

    def __init__(self) -> None:
        self.vocabulary = json.loads((EXAMPLE / "src" / "vocabulary.json").read_text(encoding="utf-8"))
        with tarfile.open(EXAMPLE / "model.tar.gz") as tar:
            file = tar.extractfile("xgboost-model")
            assert file is not None
            self.booster = xgboost.Booster({"nthread": 1})
            self.booster.load_model(bytearray(file.read()))

    def answer(self, review: str) -> str:
        row = np.zeros((1, len(self.vocabulary)), np.float32)
        for column, number in bow_encoding(review_to_words(review), self.vocabulary).items():
            row[0, column] = number
        return str(round(float(self.booster.inplace_predict(row)[0])))


def measure(judge: Judge, reviews: list[str], seconds: float) -> dict[str, float]:
    times: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        judge.answer(reviews[len(times) % len(reviews)])
        times.append((time.perf_counter() - start) * 1000)
    took = time.perf_counter() - begun
    times.sort()
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    return {"per_second": len(times) / took, "p50": p50, "p99": p99, "done": len(times)}


def main() -> None:
    judge, reviews, seconds = Judge(), json.loads(Path(sys.argv[1]).read_text()), float(sys.argv[2])
    print(json.dumps(measure(judge, reviews, seconds) if seconds else [judge.answer(review) for review in reviews]))


if __name__ == "__main__":
    main()
