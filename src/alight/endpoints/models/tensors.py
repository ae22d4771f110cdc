"""Numbers on the wire: JSON, CSV and NPY <-> arrays, for models that are served without a script.

In: JSON is an array, `{"instances": [...]}` (rows, or `{"features": row}`), or an object with one array per
input name. Out: what the `Accept` header asks for first among JSON, CSV and NPY; JSON where it asks for nothing.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alight.endpoints.contract import Refusal, Reply

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
WIRE_TYPES = (JSON, CSV, NPY)
Array = NDArray[Any]


def media_type(header: str | None) -> str:
    """`Text/CSV; charset=utf-8` -> `text/csv`."""
    return (header or "").split(";", 1)[0].strip().lower()


def read(body: bytes, content_type: str) -> Array | dict[str, Array]:
    """Raises `Refusal`: 415 for another content type, 400 for a body that is not what it says."""
    try:
        match content_type:
            case "application/json":
                return _from_json(json.loads(body))
            case "text/csv":
                return _from_csv(body.decode("utf-8"))
            case "application/x-npy":
                return np.asarray(np.load(io.BytesIO(body), allow_pickle=False))
    except Refusal:
        raise
    except Exception as error:  # each parser has its own kinds
        raise Refusal(400, f"The body cannot be read as {content_type}: {error}.") from error
    raise Refusal(415, f"Content type {content_type or '(none)'} is not one that this model takes.")


def by_input(given: Array | dict[str, Array], inputs: Sequence[str]) -> dict[str, Array]:
    """One array for each of a model's inputs: an array alone is for the only one. Raises `Refusal`."""
    if not isinstance(given, dict):
        if len(inputs) != 1:
            raise Refusal(400, f"The model has several inputs; send an object with {', '.join(inputs)}.")
        return {inputs[0]: given}
    if set(given) != set(inputs):
        raise Refusal(400, f"The model's inputs are {', '.join(inputs)}; given: {', '.join(given)}.")
    return given


def write(values: Any, accept: str | None) -> Reply:
    """`values` is an array, or a plain structure of several named ones, which only JSON can carry."""
    for wanted in (media_type(part) for part in (accept or JSON).split(",")):
        if wanted in ("", "*/*", "application/*", JSON):
            return Reply(json.dumps(values, default=_plain, allow_nan=False).encode(), JSON)
        if wanted in (CSV, "text/*") and isinstance(values, np.ndarray):
            return Reply(_to_csv(values), CSV)
        if wanted == NPY and isinstance(values, np.ndarray):
            return Reply(_to_npy(values), NPY)
    raise Refusal(406, f"The answer cannot be given as {accept}; it can be had as {', '.join(WIRE_TYPES)}.")


def check_finite(values: Any) -> None:
    """Raises `Refusal` 500 where an output holds NaN or infinity, or nothing at all: that is no prediction."""
    if isinstance(values, Mapping):
        for part in values.values():
            check_finite(part)
    elif isinstance(values, list):
        for part in values:
            check_finite(part)
    else:
        numbers = np.asarray(values)
        if numbers.size == 0:
            raise Refusal(500, "ModelOutputInvalid: the model's output is empty.")
        if numbers.dtype.kind in "fc" and not np.isfinite(numbers).all():
            raise Refusal(500, "ModelOutputInvalid: the model's output holds NaN or infinity.")


def _from_json(given: Any) -> Array | dict[str, Array]:
    if isinstance(given, dict) and "instances" in given:
        rows = [row["features"] if isinstance(row, dict) else row for row in given["instances"]]
        return _array(rows)
    if isinstance(given, dict):
        return {name: _array(values) for name, values in given.items()}
    return _array(given)


def _array(values: Any) -> Array:
    made = np.array(values)
    if made.dtype == object:
        raise Refusal(400, "The arrays in the body are ragged or hold something that is not a number or a text.")
    return made


def _from_csv(text: str) -> Array:
    rows = [line.split(",") for line in text.splitlines() if line.strip()]
    return np.array([[float(cell) for cell in row] for row in rows], dtype=np.float64)


def _to_csv(values: Array) -> bytes:
    rows = values.reshape(1, -1) if values.ndim < 2 else values.reshape(values.shape[0], -1)
    return "".join(",".join(str(cell) for cell in row.tolist()) + "\n" for row in rows).encode()


def _to_npy(values: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
