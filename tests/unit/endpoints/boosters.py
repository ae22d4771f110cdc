"""XGBoost models small enough to train where they are tested; always the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xgboost


def train(width: int = 4, rounds: int = 5, classes: int = 2, early: bool = False, **parameters: Any) -> Any:
    """A booster of `binary:logistic`, or of the objective that is given."""
    chance = np.random.default_rng(1)
    values = chance.normal(size=(200, width)).astype(np.float32)
    values[chance.random(values.shape) < 0.1] = np.nan
    labels = (np.nan_to_num(values[:, 0]) * 3).astype(int) % classes
    depth = {} if parameters.get("booster") == "gblinear" else {"max_depth": 3}
    chosen = {"objective": "binary:logistic", "seed": 1, "nthread": 1, **depth, **parameters}
    data = xgboost.DMatrix(values, labels)
    if not early:
        return xgboost.train(chosen, data, rounds)
    other = xgboost.DMatrix(chance.normal(size=(200, width)), chance.integers(0, classes, 200))
    return xgboost.train(chosen, data, rounds, evals=[(other, "other")], early_stopping_rounds=3, verbose_eval=False)


def save(booster: Any, folder: Path, raw: str = "json", name: str = "xgboost-model") -> Path:
    """The package's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(booster.save_raw(raw))
    return folder


def predict(booster: Any, values: Any, **more: Any) -> Any:
    """The model's own answer."""
    return booster.predict(xgboost.DMatrix(values, nthread=1), **more)
