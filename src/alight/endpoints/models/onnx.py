"""`model.onnx`, served without a script: pictures for image classifiers, JSON, CSV and NPY for anything.

One session, one thread: a machine's cores are used by as many replica processes. Labels (`labels.txt`, one name
a line, or `labels.json`, an array) only have to be as many as the model has classes; the answer to a picture is
the JSON array of its probabilities, in the order of the labels, as the built-in image classification answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from alight.endpoints.contract import CannotServe, Refusal, Reply, Request
from alight.endpoints.models import description, images, tensors
from alight.endpoints.models.tensors import Array

FILE_NAME = "model.onnx"
PICTURES = frozenset({"application/x-image", "image/jpeg", "image/jpg", "image/png", "image/webp"})
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


class OnnxModel:
    """See the module. `open` loads and tries the model; one instance is used from one thread."""

    def __init__(self, session: Any, given: dict[str, Any], labels: list[str]) -> None:
        self._session = session
        self._inputs: dict[str, Any] = {item.name: item for item in session.get_inputs()}
        self._outputs: list[str] = [given["output"]] if "output" in given else [o.name for o in session.get_outputs()]
        self._signature: dict[str, Any] = {item.name: item for item in session.get_outputs()}
        self._picture_input = _picture_input(given, self._inputs)
        self._preprocessing: description.Preprocessing | None = None
        self._labels = labels
        self._softmax = False
        if self._picture_input:
            entry = self._inputs[self._picture_input]
            self._preprocessing = description.describe(given, entry.shape, np.dtype(_DTYPES[entry.type]))

    @classmethod
    def open(cls, folder: Path) -> OnnxModel:
        """Raises `CannotServe` with the reason."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        given = description.read(folder)
        try:
            session = onnxruntime.InferenceSession(str(folder / FILE_NAME), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a class of its own for each kind
            raise CannotServe(f"{FILE_NAME} cannot be loaded: {_first_line(error)}") from error
        for key, names in (("input", session.get_inputs()), ("output", session.get_outputs())):
            if key in given and given[key] not in [item.name for item in names]:
                raise CannotServe(f"{description.FILE_NAME}: the model has no {key} {given[key]!r}.")
        model = cls(session, given, read_labels(folder))
        model._try()
        return model

    def answer(self, request: Request) -> Reply:
        content_type = tensors.media_type(request.content_type)
        if content_type in PICTURES:
            return tensors.write(self._classify(request.body), request.accept)
        feeds = self._feeds(tensors.read(request.body, content_type))
        found = self._run(feeds)
        return tensors.write(found[self._outputs[0]] if len(found) == 1 else found, request.accept)

    def _classify(self, body: bytes) -> Any:
        if self._preprocessing is None or self._picture_input is None:
            raise Refusal(415, "This model takes no pictures; it takes " + ", ".join(tensors.WIRE_TYPES) + ".")
        pixels = images.load(body, self._preprocessing.framing)
        found = self._run({self._picture_input: self._preprocessing.apply(pixels)})
        if len(found) > 1:
            return found
        scores = found[self._outputs[0]]
        row = scores[0] if scores.ndim > 1 else scores
        return _softmax(row) if self._softmax else row

    def _feeds(self, given: Array | dict[str, Array]) -> dict[str, Array]:
        if not isinstance(given, dict):
            if len(self._inputs) != 1:
                raise Refusal(400, f"The model has several inputs; send an object with {', '.join(self._inputs)}.")
            given = {next(iter(self._inputs)): given}
        if set(given) != set(self._inputs):
            raise Refusal(400, f"The model's inputs are {', '.join(self._inputs)}; given: {', '.join(given)}.")
        return {name: _fit(values, self._inputs[name]) for name, values in given.items()}

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

    def _try(self) -> None:
        """One run on a grey picture: proves that model and description fit, and whether it answers logits."""
        if self._preprocessing is None or self._picture_input is None:
            return
        framing = self._preprocessing.framing
        grey = images.load(images.sample(framing.height, framing.width), framing)
        try:
            scores = self._run({self._picture_input: self._preprocessing.apply(grey)})[self._outputs[0]]
        except Refusal as refusal:
            raise CannotServe(f"{FILE_NAME} does not answer a trial picture: {refusal.message}") from None
        row = np.asarray(scores)[0] if np.ndim(scores) > 1 else np.asarray(scores)
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


def _softmax(row: Array) -> Array:
    powers = np.exp(row - row.max())
    return np.asarray(powers / powers.sum())


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
