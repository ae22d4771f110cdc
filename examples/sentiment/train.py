"""Train the model of the example again: bag of words and boosted trees, beside a logistic regression.

    pip install xgboost scikit-learn matplotlib rich
    python train.py                     # fetches the snippets with pip
    python train.py --data snippets.tsv # or reads a copy: id, rating, text

Writes `model.tar.gz` (what the endpoint serves), `src/vocabulary.json` (what the handler counts) and `report/`.

The snippets are split by a seed: a fifth is held out for the report, a fifth of the rest is the validation part that
chooses parameters and the number of trees. The vocabulary is of the training part alone. Rows are dense, as the
endpoint sees them: a word that is not there is a 0, not a missing value. One thread, so that the same seed gives the
same bytes. It takes about three minutes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import platform
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "src"), str(HERE / "training")]
import report  # noqa: E402  (beside this file, as the handler's words are)
from snippets import Snippet, fetch, parse  # noqa: E402
from words import bow_encoding, review_to_words  # noqa: E402

SEED = 42
WORDS = 5000
#: Trees at most, and how many more may fail to help on the validation part.
TREES, PATIENCE = 1500, 50
COMMON = {
    "objective": "binary:logistic",
    # Estimated from the data it would be written in a form that containers before version 3.1 read as 0.5, silently.
    "base_score": 0.5,
    "eval_metric": "logloss",
    "tree_method": "hist",
    "max_bin": 8,  # a word stands in a sentence a few times at most
    "eta": 0.1,
    "subsample": 0.8,
    "nthread": 1,
    "seed": SEED,
}
#: What is tried. Few rows hold any one word, so each tree looks at a part of the columns and leaves may be small.
GRID: tuple[dict[str, Any], ...] = (
    {"max_depth": 6, "colsample_bytree": 0.5, "min_child_weight": 1.0},
    {"max_depth": 6, "colsample_bytree": 0.2, "min_child_weight": 1.0},
    {"max_depth": 12, "colsample_bytree": 0.2, "min_child_weight": 1.0},
    {"max_depth": 12, "colsample_bytree": 0.2, "min_child_weight": 0.2},
)
REGRESSIONS = (0.1, 0.3, 1.0)

Matrix = NDArray[np.float32]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of counts, and which of them are of positive snippets."""

    rows: Matrix
    positive: Labels

    def __add__(self, other: Part) -> Part:
        return Part(np.concatenate([self.rows, other.rows]), np.concatenate([self.positive, other.positive]))


@dataclass(frozen=True, slots=True)
class Parts:
    training: Part
    validation: Part
    held_out: Part


class Tick(xgboost.callback.TrainingCallback):
    """Tells the progress bar of every tree."""

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__()
        self.tick = tick

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.tick()
        return False


def split(snippets: Sequence[Snippet], seed: int) -> tuple[list[Snippet], list[Snippet], list[Snippet]]:
    """Training, validation and held-out snippets. A sentence that stands twice is on one side only."""
    unique = list({snippet.text: snippet for snippet in snippets}.values())
    order = np.random.default_rng(seed).permutation(len(unique))
    mixed = [unique[index] for index in order]
    held_out = len(mixed) // 5
    validation = held_out + (len(mixed) - held_out) // 5
    return mixed[validation:], mixed[held_out:validation], mixed[:held_out]


def frequent_words(snippets: Sequence[Snippet]) -> dict[str, int]:
    """The most frequent words with their columns, the most frequent first, equals by the alphabet."""
    counts = Counter(word for snippet in snippets for word in review_to_words(snippet.text))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:WORDS]
    return {word: column for column, word in enumerate(ranked)}


def encoded(snippets: Sequence[Snippet], vocabulary: Mapping[str, int]) -> Part:
    rows = np.zeros((len(snippets), len(vocabulary)), np.float32)
    for row, snippet in zip(rows, snippets, strict=True):
        for column, count in bow_encoding(review_to_words(snippet.text), vocabulary).items():
            row[column] = count
    return Part(rows, np.array([snippet.positive for snippet in snippets]))


def boosted(
    part: Part, parameters: Mapping[str, Any], trees: int, tick: Callable[[], None], against: Part | None
) -> Any:
    """Trees on `part`, cut after the best of them where there is a part to judge by."""
    data = xgboost.QuantileDMatrix(part.rows, part.positive, max_bin=COMMON["max_bin"])
    more: dict[str, Any] = {"callbacks": [Tick(tick)]}
    if against is not None:
        judge = xgboost.QuantileDMatrix(against.rows, against.positive, ref=data, max_bin=COMMON["max_bin"])
        more |= {"evals": [(judge, "validation")], "early_stopping_rounds": PATIENCE, "verbose_eval": False}
    model = xgboost.train(COMMON | dict(parameters), data, trees, **more)
    return model if against is None else model[: model.best_iteration + 1]


def choose(parts: Parts, bar: Progress) -> tuple[dict[str, Any], int, float, list[dict[str, Any]]]:
    """Parameters and number of trees, the regression's strength, and all that was tried."""
    tried: list[dict[str, Any]] = []
    for parameters in GRID:
        told = ", ".join(f"{name} {value}" for name, value in parameters.items())
        task = bar.add_task(told, total=TREES)
        model = boosted(parts.training, parameters, TREES, lambda task=task: bar.advance(task), parts.validation)
        judged = _judged(model.inplace_predict(parts.validation.rows), parts.validation)
        tried.append({"model": "trees", "parameters": told, "trees": model.num_boosted_rounds()} | judged)
        bar.update(task, total=model.num_boosted_rounds(), completed=model.num_boosted_rounds())
    best = min(range(len(GRID)), key=lambda index: float(tried[index]["log_loss"]))
    regressions: list[dict[str, Any]] = []
    for strength in REGRESSIONS:
        found = LogisticRegression(C=strength, max_iter=2000).fit(parts.training.rows, parts.training.positive)
        judged = _judged(found.predict_proba(parts.validation.rows)[:, 1], parts.validation)
        regressions.append({"model": "logistic regression", "parameters": f"C {strength}"} | judged)
    calm = min(range(len(REGRESSIONS)), key=lambda index: float(regressions[index]["log_loss"]))
    return GRID[best], int(tried[best]["trees"]), REGRESSIONS[calm], tried + regressions


def _judged(probabilities: Matrix, part: Part) -> dict[str, float]:
    accuracy = float(((probabilities > 0.5) == part.positive).mean())
    return {"log_loss": round(float(log_loss(part.positive, probabilities)), 4), "accuracy": round(accuracy, 4)}


def pack(model: Any) -> bytes:
    """`model.tar.gz` with the file that the XGBoost container looks for; its bytes depend on the model alone."""
    content = bytes(model.save_raw("ubj"))
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 9, packed, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        member = tarfile.TarInfo("xgboost-model")
        member.size, member.mode = len(content), 0o644
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "xgboost": xgboost.__version__}
    for name in ("scikit-learn", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the table of snippets, where you have a copy")
    parser.add_argument("--out", type=Path, default=HERE, help="where model, vocabulary and report go")
    given = parser.parse_args()
    training, validation, held_out = split(parse(given.data.read_bytes() if given.data else fetch()), SEED)
    vocabulary = frequent_words(training)
    parts = Parts(*(encoded(part, vocabulary) for part in (training, validation, held_out)))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        parameters, trees, strength, tried = choose(parts, bar)
        everything = parts.training + parts.validation
        task = bar.add_task("the best, on training and validation", total=trees)
        model = boosted(everything, parameters, trees, lambda: bar.advance(task), None)
    regression = LogisticRegression(C=strength, max_iter=2000).fit(everything.rows, everything.positive)
    answers = {
        "boosted trees": model.inplace_predict(parts.held_out.rows),
        "logistic regression": regression.predict_proba(parts.held_out.rows)[:, 1],
    }
    share = float(parts.held_out.positive.mean())
    facts = {
        "seed": SEED,
        "words": len(vocabulary),
        "parts": {"to train": len(training), "to validate": len(validation), "held out": len(held_out)},
        "majority": round(max(share, 1 - share), 4),
        "chosen": {"trees": trees, "C": strength} | COMMON | parameters,
        "tried": tried,
        "versions": _versions(),
    }
    (given.out / "src").mkdir(parents=True, exist_ok=True)
    (given.out / "src" / "vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False, indent=0) + "\n")
    packed = pack(model)
    (given.out / "model.tar.gz").write_bytes(packed)
    print(report.write(given.out / "report", parts.held_out.positive, answers, facts))
    accuracy = report.score(parts.held_out.positive, answers["boosted trees"]).accuracy
    print(f"Test accuracy on the held-out fifth: {accuracy:.4f}")
    print(f"model.tar.gz: {len(packed):,} bytes, {trees} trees")


if __name__ == "__main__":
    main()
