"""`model.tflite`, by LiteRT: JSON, CSV and NPY for anything, pictures for image classifiers, as `onnx` does it.

Quantised models take and give real numbers here: what comes in is brought to the tensor's integers by its scale and
zero point, what goes out is brought back. Pictures go into a quantised model as they are (0..255, or -128..127), unless
`preprocess.json` gives a mean or a scale. Where the model takes one row at a time, several are run one by one.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alight.endpoints import formats
from alight.endpoints.contract import CannotServe, Refusal, Reply, Request
from alight.endpoints.models import description, pictures, tensors
from alight.endpoints.models.tensors import Array


class TfliteModel:
    """See the module; used from one thread."""

    def __init__(self, interpreter: Any, given: dict[str, Any], labels: list[str]) -> None:
        self._interpreter = interpreter
        self._inputs = _by_name(interpreter.get_input_details())
        self._outputs = _by_name(interpreter.get_output_details())
        if "output" in given:
            self._outputs = {given["output"]: self._outputs[given["output"]]}
        self._classifier = self._pictures(given, labels)

    @classmethod
    def open(cls, folder: Path) -> TfliteModel:
        """Raises `CannotServe` with the reason."""
        name = formats.FILES[formats.TFLITE]
        try:
            library = importlib.import_module("ai_edge_litert.interpreter")
        except ImportError as error:
            raise CannotServe(formats.missing(formats.TFLITE, error)) from error
        given = description.read(folder)
        try:
            interpreter = library.Interpreter(model_path=str(folder / name), num_threads=1)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise CannotServe(f"{name} cannot be loaded: {_first_line(error)}") from error
        for key, details in (("input", interpreter.get_input_details()), ("output", interpreter.get_output_details())):
            if key in given and given[key] not in _by_name(details):
                raise CannotServe(f"{description.FILE_NAME}: the model has no {key} {given[key]!r}.")
        model = cls(interpreter, given, pictures.read_labels(folder))
        if model._classifier is not None:
            model._classifier.try_out(name)
        return model

    def answer(self, request: Request) -> Reply:
        content_type = tensors.media_type(request.content_type)
        if content_type in pictures.TYPES:
            if self._classifier is None:
                raise Refusal(415, "This model takes no pictures; it takes " + ", ".join(tensors.WIRE_TYPES) + ".")
            return tensors.write(self._classifier.answer(request.body), request.accept)
        if not request.body:
            raise Refusal(400, "The body is empty.")
        found = self._rows(self._feeds(tensors.read(request.body, content_type)))
        return tensors.write(next(iter(found.values())) if len(found) == 1 else found, request.accept)

    def _pictures(self, given: dict[str, Any], labels: list[str]) -> pictures.Classifier | None:
        """Where the only input, or the one that is named, is a picture of three or one channels."""
        name = given.get("input") or (next(iter(self._inputs)) if len(self._inputs) == 1 else None)
        if name is None:
            return None
        detail = self._inputs[name]
        shape = _shape(detail)
        if len(shape) != 4 or not {shape[1], shape[3]} & {1, 3}:
            if "input" in given:
                raise CannotServe(f"{description.FILE_NAME}: input {name} is not of rank 4, as pictures are.")
            return None
        quantised = _quantised(detail) is not None
        plain = quantised and "mean" not in given and "scale" not in given
        preprocessing = description.describe(given, shape, np.dtype(np.uint8 if plain else np.float32))
        shift = int(np.iinfo(detail["dtype"]).min) if plain else 0

        def run(pixels: Array) -> dict[str, Any]:
            if plain:  # the pixels are the tensor's integers already
                return self._run({name: (pixels.astype(np.int16) + shift).astype(detail["dtype"])})
            return self._run({name: _to_tensor(pixels, detail)})

        return pictures.Classifier(preprocessing, labels, run, next(iter(self._outputs)))

    def _feeds(self, given: Array | dict[str, Array]) -> dict[str, Array]:
        named = tensors.by_input(given, list(self._inputs))
        return {name: _fit(values, self._inputs[name]) for name, values in named.items()}

    def _rows(self, feeds: dict[str, Array]) -> dict[str, Any]:
        """All rows at once, or one by one where the model has room for one only."""
        (name, values), *others = feeds.items()
        room = _shape(self._inputs[name])[:1]
        if others or not room or room[0] == "N" or room[0] == len(values):
            return self._run({name: _to_tensor(values, self._inputs[name]) for name, values in feeds.items()})
        if room[0] != 1:
            raise Refusal(400, f"The model takes {room[0]} rows at a time; given: {len(values)}.")
        found = [self._run({name: _to_tensor(row, self._inputs[name])}) for row in values[:, np.newaxis]]
        return {output: np.concatenate([one[output] for one in found]) for output in self._outputs}

    def _run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        try:
            resized = False
            for name, values in feeds.items():
                detail = self._inputs[name]
                if tuple(self._interpreter.get_tensor(detail["index"]).shape) != values.shape:
                    self._interpreter.resize_tensor_input(detail["index"], values.shape, strict=True)
                    resized = True
            if resized:
                self._interpreter.allocate_tensors()
            for name, values in feeds.items():
                self._interpreter.set_tensor(self._inputs[name]["index"], values)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise Refusal(400, f"The model failed: {_first_line(error)}") from error
        found = {
            name: _from_tensor(self._interpreter.get_tensor(detail["index"]), detail)
            for name, detail in self._outputs.items()
        }
        tensors.check_finite(found)
        return found


def _by_name(details: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(detail["name"]): detail for detail in details}


def _shape(detail: Mapping[str, Any]) -> list[Any]:
    """As ONNX says it: a dimension that is open is a name."""
    signature = detail.get("shape_signature")
    shape = signature if signature is not None and len(signature) else detail["shape"]
    return ["N" if side < 0 else int(side) for side in shape]


def _quantised(detail: Mapping[str, Any]) -> tuple[float, int] | None:
    scale, zero = detail["quantization"]
    return (float(scale), int(zero)) if scale and np.dtype(detail["dtype"]).kind in "iu" else None


def _fit(values: Array, detail: Mapping[str, Any]) -> Array:
    """Numbers of the input's shape; a missing batch dimension is added."""
    shape = _shape(detail)
    if values.dtype.kind not in "fiub":
        raise Refusal(400, f"Input {detail['name']} takes numbers.")
    if values.ndim == len(shape) - 1:
        values = values[np.newaxis]
    fixed = zip(shape[1:], values.shape[1:], strict=False)
    if values.ndim != len(shape) or not values.size or any(side not in ("N", given) for side, given in fixed):
        raise Refusal(400, f"Input {detail['name']} has the shape {shape}; given: {list(values.shape)}.")
    return values


def _to_tensor(values: Array, detail: Mapping[str, Any]) -> Array:
    """In the tensor's type; real numbers become its integers where it is quantised."""
    dtype, quantised = np.dtype(detail["dtype"]), _quantised(detail)
    if quantised is not None:
        if not np.isfinite(values).all():
            raise Refusal(400, f"Input {detail['name']} of a quantised model takes no NaN and no infinity.")
        scale, zero = quantised
        limits = np.iinfo(dtype)
        return np.clip(np.round(values / np.float32(scale)) + zero, limits.min, limits.max).astype(dtype)
    if dtype.kind in "iub" and values.dtype.kind == "f" and not (values == np.trunc(values)).all():
        raise Refusal(400, f"Input {detail['name']} takes whole numbers.")
    return np.ascontiguousarray(values, dtype)


def _from_tensor(values: Array, detail: Mapping[str, Any]) -> Array:
    quantised = _quantised(detail)
    if quantised is None:
        return values
    scale, zero = quantised
    return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
