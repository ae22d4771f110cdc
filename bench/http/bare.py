"""The bare loop: the handler's own words and the model in one process, nothing in between.

    python bench/http/bare.py REVIEWS SECONDS

With `--answers` it reads a JSON list of reviews instead, and prints pairs of review and right answer.
"""

from __future__ import annotations

import argparse
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


def measure(judge: Judge, reviews: list[str], seconds: float) -> dict[str, object]:
    times: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        judge.answer(reviews[len(times) % len(reviews)])
        times.append((time.perf_counter() - start) * 1000)
    took = time.perf_counter() - begun
    times.sort()
    return {
        "per_second": len(times) / took,
        "p50": statistics.median(times),
        "p99": times[int(len(times) * 0.99)],
        "errors": {},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reviews", type=Path)
    parser.add_argument("seconds", type=float, nargs="?", default=3)
    parser.add_argument("--answers", action="store_true")
    given = parser.parse_args()
    judge, reviews = Judge(), json.loads(given.reviews.read_text())
    if given.answers:
        print(json.dumps([(review, judge.answer(review)) for review in reviews]))
    else:
        print(json.dumps(measure(judge, [review for review, _ in reviews], given.seconds)))


if __name__ == "__main__":
    main()
