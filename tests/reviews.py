"""What tests of examples/sentiment share: its modules, its model as the test process sees it, and reviews.

The snippets that the model was trained on are not part of the project. Where a copy lies in `../shared/data`, or where
`SNIPPETS` in the environment names one, tests read it; else those that need it are skipped by name.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "sentiment"
SHARED = ROOT.parent / "shared" / "data" / "film-review-snippets.tsv"
GOOD = "A beautifully acted, moving and funny film with a wonderful cast; one of the best of the year."
BAD = "A dull, predictable mess: the plot is bad, the jokes are lame and the acting is worse."


@contextmanager
def module(name: str, *folders: str) -> Iterator[ModuleType]:
    """A module of the example as its own program imports it, with its neighbours; all are forgotten afterwards."""
    paths = [EXAMPLE / folder for folder in folders]
    before = set(sys.modules)
    sys.path[:0] = map(str, paths)
    try:
        spec = importlib.util.spec_from_file_location(f"sentiment_{name}", paths[0] / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = made
        spec.loader.exec_module(made)
        yield made
    finally:
        for path in paths:
            sys.path.remove(str(path))
        for added in set(sys.modules) - before:
            file = getattr(sys.modules[added], "__file__", None) or ""
            if file.startswith(str(EXAMPLE)):
                del sys.modules[added]


def vocabulary() -> dict[str, int]:
    found: dict[str, int] = json.loads((EXAMPLE / "src" / "vocabulary.json").read_text(encoding="utf-8"))
    return found


def reference(review: str, known: dict[str, int]) -> list[int]:
    """The lab's rules, written a second time and as slowly as they are told."""
    text = review.lower()
    for sign in ".;:!'?,\"()[]":
        text = text.replace(sign, "")
    text = re.sub(r"<br\s*/><br\s*/>", " ", text)
    text = text.replace("-", " ").replace("/", " ")
    counts = [0] * len(known)
    for word in text.split():
        if word in known:
            counts[known[word]] += 1
    return counts


class Judge:
    """The model that ships, loaded in this process."""

    def __init__(self) -> None:
        xgboost = pytest.importorskip("xgboost")
        with tarfile.open(EXAMPLE / "model.tar.gz") as tar:
            file = tar.extractfile("xgboost-model")
            assert file is not None
            self.booster: Any = xgboost.Booster({"nthread": 1})
            self.booster.load_model(bytearray(file.read()))
        self.known = vocabulary()

    def probabilities(self, reviews: Sequence[str]) -> list[float]:
        rows = np.array([reference(review, self.known) for review in reviews], np.float32)
        return [float(value) for value in self.booster.inplace_predict(rows)]


def csv(review: str, known: dict[str, int]) -> bytes:
    return ",".join(map(str, reference(review, known))).encode()


def made_reviews(count: int, seed: int = 7) -> list[str]:
    """Reviews of random length out of the vocabulary, with strangers, punctuation, capitals and breaks among them."""
    chance = random.Random(seed)
    words = list(vocabulary())
    joints = [" "] * 12 + [", ", ". ", "! ", " - ", "/", "<br /><br />", "\n", " (", ") ", ' "', " zzyzx "]
    reviews = []
    for _ in range(count):
        parts: list[str] = []
        for _ in range(chance.randint(1, 60)):
            word = chance.choice(words[:300]) if chance.random() < 0.4 else chance.choice(words)
            parts += [word.title() if chance.random() < 0.2 else word, chance.choice(joints)]
        reviews.append("".join(parts))
    return reviews


def snippets_file() -> Path:
    """A copy of the snippets. Skips the test where there is none."""
    path = Path(os.environ.get("SNIPPETS") or SHARED)
    if not path.is_file():
        pytest.skip("there is no copy of the film-review snippets")
    return path


def snippets(count: int | None = None) -> list[str]:
    lines = snippets_file().read_text(encoding="utf-8").split("\n")
    return [line.split("\t", 2)[2] for line in lines if line.strip()][:count]
