"""`xgboost-model`, served without a script, as SageMaker's XGBoost container serves it.

In: `text/csv` and `text/libsvm`. Out: the predictions joined by commas, each as Python writes the number; other forms
only where `SAGEMAKER_INFERENCE_OUTPUT` asks for them (`selectable`). No body is 204, a body that cannot be read is 415,
rows that do not fit the model are 400, with the reason as plain text. Rows of several requests are predicted together,
which gives the same bits: each row walks the trees by itself.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alight.endpoints import batch, formats
from alight.endpoints.contract import BatchModel, CannotServe, Outcome, Refusal, Reply, Request
from alight.endpoints.models import rows, selectable
from alight.endpoints.models.in_place import InPlace
from alight.endpoints.models.tensors import media_type

DEFAULT_ACCEPT, BATCH = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "SAGEMAKER_BATCH"
#: How Flask, which answers in the container, writes the type of a text.
TEXT, PLAIN = "text/csv; charset=utf-8", "text/html; charset=utf-8"
_LIBSVM = ("text/libsvm", "text/x-libsvm", "libsvm")
_FORMS = (selectable.CSV, selectable.JSON, selectable.JSON_LINES)


class XgboostModel(BatchModel):
    """See the module. `open` loads and tries the model; one instance is used from one thread."""

    at_once = 32

    def __init__(self, library: Any, booster: Any, environment: Mapping[str, str]) -> None:
        learner = json.loads(booster.save_config())["learner"]
        best = booster.attr("best_iteration")
        self._library = library
        self._booster = booster
        self._width = int(booster.num_features())
        self._objective = str(learner["objective"]["name"])
        self._classes = int(learner["learner_model_param"].get("num_class") or 0)
        # Training that was stopped early knows its best round; the container predicts up to that one.
        self._rounds = (0, int(best) + 1) if best is not None else (0, 0)
        # Only for plain trees are the bits those of `predict`.
        plain = learner["gradient_booster"]["name"] == "gbtree"
        self._in_place = InPlace(library, booster, self._rounds) if plain else None
        self._selected = selectable.names(environment)
        self._default_accept = environment.get(DEFAULT_ACCEPT, selectable.CSV)
        self._batch = bool(environment.get(BATCH))

    @classmethod
    def open(cls, folder: Path, environment: Mapping[str, str]) -> XgboostModel:
        """Raises `CannotServe` with the reason."""
        path = formats.xgboost_file(folder)
        library = _library()
        booster = library.Booster()
        booster.set_param({"nthread": 1})
        try:
            booster.load_model(bytearray(path.read_bytes()))
            model = cls(library, booster, environment)
            model._predict(np.zeros((1, model._width), np.float32))
        except (library.core.XGBoostError, Refusal, KeyError, ValueError) as error:
            raise CannotServe(f"{path.name} cannot be loaded: {_reason(error)}") from error
        return model

    def answer_many(self, requests: Sequence[Request]) -> list[Outcome]:
        found = batch.answer(requests, self._read, self._predict, self._write)
        return [_plain(outcome) if isinstance(outcome, Refusal) else outcome for outcome in found]

    def _read(self, request: Request) -> Any:
        """Rows, or the answer where there is nothing to predict."""
        if not request.body:
            return Reply(b"", PLAIN, 204)
        # No content type is LIBSVM in the container, so it is here.
        content_type = media_type(request.content_type) or _LIBSVM[0]
        if content_type in ("text/csv", "csv"):
            try:
                values = rows.from_csv(request.body)
            except ValueError as error:
                raise _unreadable(content_type, error) from None
            self._check_width(values.shape[1])
            return values
        if content_type in _LIBSVM:
            return self._sparse(request.body, content_type)
        known = "application/x-recordio-protobuf is not supported here" if "recordio" in content_type else "unknown"
        raise Refusal(415, f"Content type {content_type}: {known}. Send text/csv or text/libsvm.")

    def _sparse(self, body: bytes, content_type: str) -> Any:
        try:
            given = rows.from_libsvm(body)
        except ValueError as error:
            raise _unreadable(content_type, error) from None
        if given.width > self._width:
            raise Refusal(
                400,
                f"Unable to evaluate payload: index {given.width - 1} is beyond the model's {self._width} features.",
            )
        matrix = importlib.import_module("scipy.sparse").csr_matrix
        return matrix((given.values, (given.lines, given.columns)), shape=(given.height, self._width))

    def _check_width(self, width: int) -> None:
        if width != self._width:
            label = " The label is not sent." if width == self._width + 1 else ""
            raise Refusal(
                400,
                f"Unable to evaluate payload: its rows have {width} values, the model has {self._width} features."
                + label,
            )

    def _predict(self, values: Any) -> Any:
        try:
            if self._in_place and isinstance(values, np.ndarray):
                return self._in_place.predict(values)
            if self._in_place:
                return self._booster.inplace_predict(values, iteration_range=self._rounds, validate_features=False)
            matrix = self._library.DMatrix(values, nthread=1)
            return self._booster.predict(matrix, iteration_range=self._rounds, validate_features=False)
        except self._library.core.XGBoostError as error:
            raise Refusal(400, f"Unable to evaluate payload: {_reason(error)}") from error

    def _write(self, request: Request, predictions: Any) -> Reply:
        if self._selected:
            return self._select(request, predictions)
        texts = map(str, predictions.tolist())
        text = "\n".join(texts) + "\n" if self._batch else ",".join(texts)
        return Reply(text.encode(), TEXT)

    def _select(self, request: Request, predictions: Any) -> Reply:
        accept = media_type(request.accept)
        if accept in ("", "*/*"):
            accept = self._default_accept
        if accept not in _FORMS:
            raise Refusal(406, f"The answer cannot be given as {accept}; it can be had as {', '.join(_FORMS)}.")
        found = selectable.select(predictions, self._selected, self._objective, self._classes)
        body = selectable.write(found, self._selected, accept, self._batch)
        return Reply(body, TEXT if accept == selectable.CSV else accept)


def _library() -> Any:
    """XGBoost without scikit-learn, which it imports for a side of it that is not used: most of the time of a start."""
    hidden = {} if "sklearn" in sys.modules else {"sklearn": None}
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        return importlib.import_module("xgboost")
    except ImportError as error:
        raise CannotServe(formats.missing(formats.XGBOOST, error)) from error
    finally:
        for name in hidden:
            del sys.modules[name]


def _unreadable(content_type: str, error: ValueError) -> Refusal:
    return Refusal(415, f"The body cannot be read as {content_type}: {error}.")


def _plain(refusal: Refusal) -> Reply:
    return Reply(refusal.message.encode(), PLAIN, refusal.status)


def _reason(error: Exception) -> str:
    """The library puts a stack of its own behind the first line."""
    line = str(error).strip().split("\n", 1)[0]
    return line.split(": ", 1)[-1][:500]
