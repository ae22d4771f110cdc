"""Selectable inference: what the XGBoost container answers where `SAGEMAKER_INFERENCE_OUTPUT` lists names.

Each row becomes one object with the names asked for. A name that the model's objective does not have is NaN, as there;
an objective without any of them is an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alight.endpoints.contract import Refusal

OUTPUT = "SAGEMAKER_INFERENCE_OUTPUT"
CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"

_REGRESSION = ("predicted_score",)
_SCORES = ("predicted_label", "labels", "raw_score", "raw_scores")
_PROBABILITIES = (*_SCORES, "probability", "probabilities")
_NAMES: Mapping[str, tuple[str, ...]] = {
    "reg:squarederror": _REGRESSION,
    "reg:logistic": _REGRESSION,
    "reg:gamma": _REGRESSION,
    "reg:absoluteerror": _REGRESSION,
    "reg:tweedie": _REGRESSION,
    "binary:logistic": _PROBABILITIES,
    "binary:logitraw": _SCORES,
    "binary:hinge": _SCORES,
    "multi:softmax": _SCORES,
    "multi:softprob": _PROBABILITIES,
}


def names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names asked for, in their order; none where selectable inference is off."""
    return tuple(environment[OUTPUT].replace(" ", "").lower().split(",")) if OUTPUT in environment else ()


def select(predictions: Any, wanted: Sequence[str], objective: str, classes: int) -> list[dict[str, Any]]:
    """One object per prediction. Raises `Refusal` 500 for an objective that has no names."""
    if objective not in _NAMES:
        raise Refusal(500, f"{OUTPUT} is set, but a model of objective {objective} has nothing to select.")
    known = _NAMES[objective]
    return [
        {name: _value(name, row, objective, classes) if name in known else math.nan for name in wanted}
        for row in predictions
    ]


def write(rows: Sequence[Mapping[str, Any]], wanted: Sequence[str], accept: str, batch: bool) -> bytes:
    """The rows in one of the container's forms."""
    if accept == JSON:
        return json.dumps({"predictions": rows}).encode()
    if accept == JSON_LINES:
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    lines = (
        ",".join(f'"{row[name]}"' if isinstance(row[name], list) else str(row[name]) for name in wanted) for row in rows
    )
    return ("\n".join(lines) + ("\n" if batch else "")).encode()


def _value(name: str, row: Any, objective: str, classes: int) -> Any:
    if name == "labels":
        return list(range(classes)) if objective.startswith("multi:") else [0, 1]
    if name == "predicted_label":
        return _label(row, objective)
    if objective == "multi:softprob":
        return max(row).item() if name in ("probability", "raw_score") else row.tolist()
    score = row.item()
    return [1.0 - score, score] if name in ("probabilities", "raw_scores") else score


def _label(row: Any, objective: str) -> Any:
    rules: Mapping[str, Callable[[Any], Any]] = {
        "binary:logistic": lambda score: int(score > 0.5),
        "binary:logitraw": lambda score: int(score > 0),
        "multi:softprob": lambda scores: scores.argmax().item(),
    }
    return rules[objective](row) if objective in rules else row.item()
