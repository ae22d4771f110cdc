"""Bytes of a picture -> the pixels that a model wants: the first step of every image classifier.

The format is told by the bytes, never by a name or a content type, and only JPEG, PNG and WebP are let in. The
size is read from the header and checked before anything is decoded. A JPEG is decoded at the smallest of its
built-in scales that still has more pixels than the model needs, then turned upright, brought to RGB, cropped
and resized in one step.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from alight.endpoints.contract import Refusal

FORMATS = ("JPEG", "PNG", "WEBP")
#: A picture with more pixels is refused before decoding.
MAX_PIXELS = 50_000_000
#: So is one with a longer side.
MAX_SIDE = 20_000
#: The scaled decode keeps this much more than the model needs, so that the resize still does the fine work.
DRAFT_MARGIN = 1.25
BACKGROUND = (255, 255, 255)

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True, slots=True)
class Framing:
    """How a picture becomes `height` x `width` pixels.

    `crop`: the largest centred rectangle of the target's shape, shrunk to the fraction `keep`, is resized.
    `stretch`: the whole picture is resized, its shape is lost.
    """

    height: int
    width: int
    fit: Literal["crop", "stretch"] = "crop"
    keep: float = 1.0
    interpolation: str = "bicubic"


def load(body: bytes, framing: Framing) -> NDArray[np.uint8]:
    """One picture as uint8 RGB of shape (height, width, 3). Raises `Refusal` 400 or 413."""
    picture = open_picture(body)
    try:
        if picture.format == "JPEG":
            _draft(picture, framing)
        ImageOps.exif_transpose(picture, in_place=True)
        pixels = to_rgb(picture)
        box = _box(pixels.size, framing) if framing.fit == "crop" else None
        size = (framing.width, framing.height)
        return np.asarray(pixels.resize(size, INTERPOLATIONS[framing.interpolation], box=box))
    except Refusal:
        raise
    except Exception as error:  # damaged bytes make the decoders raise nearly anything
        raise Refusal(400, f"The picture cannot be decoded: {error}.") from error


def sample(height: int, width: int) -> bytes:
    """A grey JPEG: to try a model with, and the decoder, before the first request."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (128, 128, 128)).save(buffer, "JPEG")
    return buffer.getvalue()


def open_picture(body: bytes) -> Image.Image:
    """Read the header only. Raises `Refusal` where it is no allowed picture (400) or too large (413)."""
    canvas = _webp_canvas(body)
    if canvas:
        _check_size(canvas)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(body), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise Refusal(413, f"The picture is too large: {error}") from error
    except UnidentifiedImageError:
        raise Refusal(400, f"The body is not a picture in one of the formats {', '.join(FORMATS)}.") from None
    except Exception as error:  # as above
        raise Refusal(400, f"The picture cannot be read: {error}.") from error
    _check_size(picture.size)
    return picture


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode that JPEG, PNG and WebP know -> RGB: 16 bits are scaled, transparency lies on white."""
    if picture.mode.startswith("I"):
        wide = np.asarray(picture).astype(np.uint32)
        return Image.fromarray(((wide.clip(0, 65535) + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        under = Image.new("RGBA", over.size, (*BACKGROUND, 255))
        return Image.alpha_composite(under, over).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _draft(picture: Image.Image, framing: Framing) -> None:
    """Let libjpeg decode at 1/2, 1/4 or 1/8 where that is still more than is needed. Sides may be swapped by EXIF."""
    need = max(framing.height, framing.width) / (framing.keep if framing.fit == "crop" else 1.0)
    side = math.ceil(need * DRAFT_MARGIN)
    picture.draft(None, (side, side))


def _box(size: tuple[int, int], framing: Framing) -> tuple[float, float, float, float]:
    width, height = size
    unit = framing.keep * min(width / framing.width, height / framing.height)
    across, down = max(1, int(unit * framing.width)), max(1, int(unit * framing.height))
    left, top = (width - across + 1) // 2, (height - down + 1) // 2
    return left, top, left + across, top + down


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if max(size) > MAX_SIDE or width * height > MAX_PIXELS:
        raise Refusal(
            413,
            f"The picture is too large: {width} x {height} pixels; {MAX_PIXELS:,} pixels and {MAX_SIDE:,} a side are"
            " allowed.",
        )
    if min(size) < 1:
        raise Refusal(400, "The picture has no pixels.")


def _webp_canvas(body: bytes) -> tuple[int, int] | None:
    """The canvas of an extended WebP, whose decoder would reserve it on opening; None for anything else."""
    if body[:4] != b"RIFF" or body[8:16] != b"WEBPVP8X" or len(body) < 30:
        return None
    return int.from_bytes(body[24:27], "little") + 1, int.from_bytes(body[27:30], "little") + 1
