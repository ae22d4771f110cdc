"""`preprocess.json`: how a picture becomes the input of `model.onnx`. Every key may be left out.

{
  "input": "input",              which input takes the picture (default: the only one, or the only one of rank 4)
  "output": "probabilities",     which output is the answer (default: all)
  "layout": "NCHW",              or NHWC (default: where the signature has 1 or 3)
  "size": [224, 224],            height, width (default: the signature's, else 224)
  "channels": "RGB",             or BGR or L (default: RGB, or L where the signature has one channel)
  "fit": "crop",                 or stretch: see images.Framing
  "crop": 0.875,                 part of the shorter side that is kept (default 1)
  "interpolation": "bicubic",    nearest box bilinear bicubic lanczos
  "mean": 127,                   one number or one per channel, in pixel values 0..255 (default 0)
  "scale": 0.0078125,            (pixel - mean) * scale (default 1/255 for float inputs, 1 for integers)
  "softmax": false               true where the model answers logits (default: found out by a trial run)
}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alight.endpoints.contract import CannotServe
from alight.endpoints.models.images import INTERPOLATIONS, Framing

FILE_NAME = "preprocess.json"
KEYS = frozenset(
    {"input", "output", "layout", "size", "channels", "fit", "crop", "interpolation", "mean", "scale", "softmax"}
)
_CHOICES = {
    "layout": ("NCHW", "NHWC"),
    "channels": ("RGB", "BGR", "L"),
    "fit": ("crop", "stretch"),
    "interpolation": tuple(INTERPOLATIONS),
    "softmax": (True, False),
}
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What is done to the pixels; `softmax` None means that a trial run decides."""

    framing: Framing
    layout: str
    channels: str
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    dtype: np.dtype[Any]
    softmax: bool | None

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """(height, width, 3) RGB -> one batch of the model's layout and type."""
        if self.dtype == np.uint8 and not self.mean.any() and (self.scale == 1).all():
            values: NDArray[Any] = self._channels(pixels)
        else:
            values = np.subtract(self._channels(pixels), self.mean, dtype=np.float32)
            values *= self.scale
        planes = values.transpose(2, 0, 1) if self.layout == "NCHW" else values
        return np.ascontiguousarray(planes, dtype=self.dtype)[np.newaxis]

    def _channels(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        if self.channels == "BGR":
            return pixels[:, :, ::-1]
        if self.channels == "L":
            return (pixels @ _GREY)[:, :, np.newaxis]
        return pixels


def read(folder: Path) -> dict[str, Any]:
    """The file's keys, or nothing where there is none. Raises `CannotServe`."""
    path = folder / FILE_NAME
    if not path.exists():
        return {}
    try:
        given = json.loads(path.read_bytes())
    except ValueError as error:
        raise CannotServe(f"{FILE_NAME} cannot be read: {error}.") from None
    if not isinstance(given, dict):
        raise CannotServe(f"{FILE_NAME} must hold one JSON object.")
    unknown = sorted(set(given) - KEYS)
    if unknown:
        raise CannotServe(f"{FILE_NAME} has an unknown key: {unknown[0]}. Known: {', '.join(sorted(KEYS))}.")
    for key, allowed in _CHOICES.items():
        if key in given and given[key] not in allowed:
            raise CannotServe(f"{FILE_NAME}: {key} is {given[key]!r}; allowed: {', '.join(map(str, allowed))}.")
    return given


def describe(given: dict[str, Any], shape: list[Any], dtype: np.dtype[Any]) -> Preprocessing:
    """Join what the file says with what the input's signature says. Raises `CannotServe` where they disagree."""
    layout = given.get("layout") or ("NHWC" if shape[3] in (1, 3) and shape[1] not in (1, 3) else "NCHW")
    depth, sides = (shape[1], shape[2:4]) if layout == "NCHW" else (shape[3], shape[1:3])
    size = given.get("size") or [side if isinstance(side, int) else 224 for side in sides]
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
        raise CannotServe(f"{FILE_NAME}: size must be [height, width].")
    if any(isinstance(side, int) and side != wanted for side, wanted in zip(sides, size, strict=True)):
        raise CannotServe(f"{FILE_NAME}: size is {size}, but the model takes {list(sides)}.")
    channels = given.get("channels") or ("L" if depth == 1 else "RGB")
    if isinstance(depth, int) and depth != len(channels):
        raise CannotServe(f"{FILE_NAME}: channels is {channels}, but the model takes {depth}.")
    keep = given.get("crop", 1.0)
    if not isinstance(keep, int | float) or not 0 < keep <= 1:
        raise CannotServe(f"{FILE_NAME}: crop must be above 0 and at most 1.")
    return Preprocessing(
        framing=Framing(
            height=size[0],
            width=size[1],
            fit=given.get("fit", "crop"),
            keep=float(keep),
            interpolation=given.get("interpolation", "bicubic"),
        ),
        layout=layout,
        channels=channels,
        mean=_per_channel("mean", given.get("mean", 0), len(channels)),
        scale=_per_channel("scale", given.get("scale", 1 / 255 if dtype.kind == "f" else 1), len(channels)),
        dtype=dtype,
        softmax=given.get("softmax"),
    )


def _per_channel(key: str, value: Any, count: int) -> NDArray[np.float32]:
    values = value if isinstance(value, list) else [value]
    if len(values) not in (1, count) or not all(isinstance(item, int | float) for item in values):
        raise CannotServe(f"{FILE_NAME}: {key} must be one number or {count}.")
    return np.array(values, np.float32)
