"""A picture -> the probabilities of the classes: what the image classifiers of all formats have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from alight.endpoints.contract import CannotServe, Refusal
from alight.endpoints.models import images
from alight.endpoints.models.description import Preprocessing
from alight.endpoints.models.tensors import Array

TYPES = frozenset({"application/x-image", "image/jpeg", "image/jpg", "image/png", "image/webp"})


class Classifier:
    """`run` takes a batch of one and gives the model's outputs by name; `output` is the one with the scores."""

    def __init__(
        self,
        preprocessing: Preprocessing,
        labels: list[str],
        run: Callable[[Array], dict[str, Any]],
        output: str,
    ) -> None:
        self._preprocessing = preprocessing
        self._labels = labels
        self._run = run
        self._output = output
        self._softmax = False

    def answer(self, body: bytes) -> Any:
        """The row of probabilities; everything by name where the model has several outputs."""
        pixels = images.load(body, self._preprocessing.framing)
        found = self._run(self._preprocessing.apply(pixels))
        if len(found) > 1:
            return found
        row = _row(found[self._output])
        return _softmax(row) if self._softmax else row

    def try_out(self, file_name: str) -> None:
        """One run on a grey picture: proves that model and description fit, and whether it answers logits."""
        framing = self._preprocessing.framing
        grey = images.load(images.sample(framing.height, framing.width), framing)
        try:
            row = _row(self._run(self._preprocessing.apply(grey))[self._output])
        except Refusal as refusal:
            raise CannotServe(f"{file_name} does not answer a trial picture: {refusal.message}") from None
        if self._labels and row.shape != (len(self._labels),):
            raise CannotServe(f"There are {len(self._labels)} labels, but the model answers {list(row.shape)} values.")
        declared = self._preprocessing.softmax
        sums_to_one = bool((row >= 0).all() and abs(float(row.sum()) - 1) < 1e-3)
        logits = row.ndim == 1 and row.size > 1 and row.dtype.kind == "f" and not sums_to_one
        self._softmax = logits if declared is None else declared


def read_labels(folder: Path) -> list[str]:
    """Names in the order of the model's classes, or nothing."""
    if (folder / "labels.json").exists():
        names = json.loads((folder / "labels.json").read_bytes())
        if not isinstance(names, list):
            raise CannotServe("labels.json must hold an array of names.")
        return [str(name) for name in names]
    if (folder / "labels.txt").exists():
        return [line for line in (folder / "labels.txt").read_text("utf-8").splitlines() if line.strip()]
    return []


def _row(scores: Any) -> Array:
    return np.asarray(scores)[0] if np.ndim(scores) > 1 else np.asarray(scores)


def _softmax(row: Array) -> Array:
    powers = np.exp(row - row.max())
    return np.asarray(powers / powers.sum())
