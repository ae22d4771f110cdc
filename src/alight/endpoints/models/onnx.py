"""`model.onnx`, served without a script: pictures for image classifiers, JSON, CSV and NPY for anything.

A run takes one core, or more where the others idle (`sessions`). Labels (`labels.txt`, one name a line, or
`labels.json`, an array) only have to be as many as the model has classes; the answer to a picture is the JSON array of
its probabilities, in the order of the labels, as the built-in image classification answers.

Requests are run together only where `ALIGHT_AT_ONCE` says so: ONNX Runtime multiplies one row in another order than
several, so that the last bits of an answer may depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alight.endpoints import batch
from alight.endpoints.contract import BatchModel, CannotServe, Outcome, Refusal, Request
from alight.endpoints.models import description, pictures, sessions, tensors
from alight.endpoints.models.tensors import Array

FILE_NAME = "model.onnx"
#: How many requests are run together, for a model that takes any number of rows.
TOGETHER = "ALIGHT_AT_ONCE"
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32,
    "tensor(uint32)": np.uint32,
    "tensor(int64)": np.int64,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}


class OnnxModel(BatchModel):
    """See the module. `open` loads and tries the model; one instance is used from one thread."""

    def __init__(self, session: Any, given: dict[str, Any], labels: list[str], together: int) -> None:
        self._session = session
        self._inputs: dict[str, Any] = {item.name: item for item in session.get_inputs()}
        self._outputs: list[str] = [given["output"]] if "output" in given else [o.name for o in session.get_outputs()]
        self._signature: dict[str, Any] = {item.name: item for item in session.get_outputs()}
        self._classifier: pictures.Classifier | None = None
        picture = _picture_input(given, self._inputs)
        if picture:
            entry = self._inputs[picture]
            preprocessing = description.describe(given, entry.shape, np.dtype(_DTYPES[entry.type]))
            self._classifier = pictures.Classifier(
                preprocessing, labels, lambda pixels: self._run({picture: pixels}), self._outputs[0]
            )
        self.at_once = together if self._takes_any_number_of_rows() else 1

    @classmethod
    def open(cls, folder: Path, environment: Mapping[str, str] | None = None) -> OnnxModel:
        """Raises `CannotServe` with the reason."""
        path, environment = folder / FILE_NAME, environment or {}
        given = description.read(folder)
        try:
            session = sessions.open_session(path, 1)
        except Exception as error:  # ONNX Runtime has a class of its own for each kind
            raise CannotServe(f"{FILE_NAME} cannot be loaded: {_first_line(error)}") from error
        for key, names in (("input", session.get_inputs()), ("output", session.get_outputs())):
            if key in given and given[key] not in [item.name for item in names]:
                raise CannotServe(f"{description.FILE_NAME}: the model has no {key} {given[key]!r}.")
        model = cls(session, given, pictures.read_labels(folder), _together(environment))
        if model._classifier is not None:
            model._classifier.try_out(FILE_NAME)
        # Behind the trial, which says nothing of how long a run takes: the first one sets the session up.
        model._session = sessions.spread(path, session, environment)
        return model

    def answer_many(self, requests: Sequence[Request]) -> list[Outcome]:
        return batch.answer(requests, self._read, self._answer, lambda asked, found: tensors.write(found, asked.accept))

    def _read(self, request: Request) -> Any:
        """The bytes of a picture, the rows of the only input, or all inputs by name."""
        content_type = tensors.media_type(request.content_type)
        if content_type in pictures.TYPES:
            return request.body
        feeds = self._feeds(tensors.read(request.body, content_type))
        return next(iter(feeds.values())) if len(feeds) == 1 else feeds

    def _answer(self, given: Any) -> Any:
        if isinstance(given, bytes):
            if self._classifier is None:
                raise Refusal(415, "This model takes no pictures; it takes " + ", ".join(tensors.WIRE_TYPES) + ".")
            return self._classifier.answer(given)
        found = self._run(given if isinstance(given, dict) else {next(iter(self._inputs)): given})
        return found[self._outputs[0]] if len(found) == 1 else found

    def _takes_any_number_of_rows(self) -> bool:
        """One input, one output, and the first dimension of both is open."""
        if len(self._inputs) != 1 or len(self._outputs) != 1:
            return False
        shapes = (next(iter(self._inputs.values())).shape, self._signature[self._outputs[0]].shape)
        return all(shape and not isinstance(shape[0], int) for shape in shapes)

    def _feeds(self, given: Array | dict[str, Array]) -> dict[str, Array]:
        named = tensors.by_input(given, list(self._inputs))
        return {name: _fit(values, self._inputs[name]) for name, values in named.items()}

    def _run(self, feeds: dict[str, Array]) -> dict[str, Any]:
        try:
            found = dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
        except Exception as error:  # as in open
            status = 400 if "INVALID_ARGUMENT" in str(error) else 500
            raise Refusal(status, f"The model failed: {_first_line(error)}") from error
        for name, values in found.items():
            self._check_shape(name, values)
        tensors.check_finite(found)
        return found

    def _check_shape(self, name: str, values: Any) -> None:
        declared = self._signature[name].shape
        if not isinstance(values, np.ndarray) or not declared:
            return
        pairs = zip(declared[1:], values.shape[1:], strict=False)
        if len(declared) != values.ndim or any(isinstance(d, int) and d != v for d, v in pairs):
            raise Refusal(500, f"ModelOutputInvalid: {name} has shape {list(values.shape)}, declared is {declared}.")


def _picture_input(given: dict[str, Any], inputs: Mapping[str, Any]) -> str | None:
    if "input" in given:
        name = str(given["input"])
        if len(inputs[name].shape) != 4:
            raise CannotServe(f"{description.FILE_NAME}: input {name} is not of rank 4, as pictures are.")
        return name
    pictures = [
        name
        for name, item in inputs.items()
        if len(item.shape) == 4 and item.type in _DTYPES and {item.shape[1], item.shape[3]} & {1, 3}
    ]
    return pictures[0] if len(pictures) == 1 == len(inputs) else None


def _fit(values: Array, entry: Any) -> Array:
    """The array in the input's type; a missing batch dimension is added."""
    dtype = np.dtype(_DTYPES.get(entry.type, np.float32))
    if dtype.kind not in "US" and values.dtype.kind in "US":
        raise Refusal(400, f"Input {entry.name} takes numbers.")
    if values.ndim == len(entry.shape) - 1:
        values = values[np.newaxis]
    if dtype.kind in "iub" and values.dtype.kind == "f" and not (values == np.trunc(values)).all():
        raise Refusal(400, f"Input {entry.name} takes whole numbers.")
    return values.astype(object) if dtype.kind == "U" else np.ascontiguousarray(values, dtype)


def _together(environment: Mapping[str, str]) -> int:
    given = environment.get(TOGETHER, "1")
    if not given.isdigit() or not 1 <= int(given) <= 256:
        raise CannotServe(f"{TOGETHER} is {given!r}; it is a number from 1 to 256.")
    return int(given)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
