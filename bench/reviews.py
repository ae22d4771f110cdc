"""Reviews that are made up, always the same ones, as text and as rows; and a model of many trees for them."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from bench.case import SEED

SOURCE = Path(__file__).resolve().parents[1] / "examples" / "sentiment" / "src"
sys.path.insert(0, str(SOURCE))
from words import Rows, bow_encoding, review_to_words  # noqa: E402  (the example's own)


def vocabulary() -> dict[str, int]:
    found: dict[str, int] = json.loads((SOURCE / "vocabulary.json").read_text(encoding="utf-8"))
    return found


def made(count: int, seed: int = SEED) -> list[str]:
    """Reviews of 5 to 60 words, the frequent ones more often."""
    chance = random.Random(seed)
    words = list(vocabulary())
    return [
        " ".join(words[int(len(words) * chance.random() ** 3)] for _ in range(chance.randint(5, 60)))
        for _ in range(count)
    ]


def counts(reviews: list[str]) -> list[dict[int, int]]:
    known = vocabulary()
    return [bow_encoding(review_to_words(review), known) for review in reviews]


def lines(reviews: list[str]) -> list[bytes]:
    """Each as a line of CSV, one number for each word of the vocabulary."""
    rows = Rows(len(vocabulary()))
    return [rows.line(found) for found in counts(reviews)]


def dense(reviews: list[str]) -> Any:
    rows = np.zeros((len(reviews), len(vocabulary())), np.float32)
    for row, found in zip(rows, counts(reviews), strict=True):
        row[list(found)] = list(found.values())
    return rows


def train(trees: int) -> Any:
    """A model that sees in a review's words whether the frequent ones prevail: only its size matters."""
    rows = dense(made(1500, SEED + 1))
    labels = (rows[:, :100].sum(axis=1) + np.random.default_rng(SEED).normal(size=len(rows)) > 8).astype(int)
    parameters = {"objective": "binary:logistic", "max_depth": 5, "eta": 0.1, "seed": SEED, "tree_method": "hist"}
    return xgboost.train({**parameters, "colsample_bytree": 0.02}, xgboost.DMatrix(rows, labels), trees)
