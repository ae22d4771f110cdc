"""Pictures of every kind give the pixels of their plain twin, or are refused for what they are."""

from __future__ import annotations

import gc
import io
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from alight.endpoints.contract import Refusal
from alight.endpoints.models.images import Framing, load, open_picture

SMALL = Framing(height=48, width=48)
Save = Callable[[Image.Image], bytes]


def gradient(width: int = 160, height: int = 120) -> Image.Image:
    """No symmetry, no flat colour: whatever is turned, cut or bleached shows."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = [200 * x + 20, 180 * y + 40, 120 * (1 - x) * y + 30]
    return Image.fromarray(np.stack(planes, -1).round().astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def difference(one: bytes, other: bytes, framing: Framing = SMALL) -> float:
    """The largest mean difference of a channel, in pixel values."""
    values = load(one, framing).astype(float) - load(other, framing).astype(float)
    return float(np.abs(values).mean(axis=(0, 1)).max())


def as_cmyk_jpeg(picture: Image.Image) -> bytes:
    return encoded(picture.convert("CMYK"), "JPEG", quality=95)


def with_alpha(picture: Image.Image) -> bytes:
    """The picture's own colours with half of it hidden; what is hidden is a loud red."""
    over = picture.convert("RGBA")
    red = Image.new("RGBA", (picture.width // 2, picture.height), (255, 0, 0, 0))
    over.paste(red, (0, 0))
    return encoded(over)


def half_white(picture: Image.Image) -> bytes:
    made = picture.copy()
    made.paste((255, 255, 255), (0, 0, picture.width // 2, picture.height))
    return encoded(made)


def palette_with_transparency(picture: Image.Image) -> bytes:
    made = picture.quantize(255)
    known = (made.getpalette() or [])[:765]
    made.putpalette(known + [0] * (765 - len(known)) + [255, 0, 0])
    made.paste(255, (0, 0, picture.width // 2, picture.height))
    return encoded(made, transparency=255)


@pytest.mark.parametrize(
    ("twin", "plain", "tolerance"),
    [
        pytest.param(lambda p: encoded(p, "JPEG", quality=95), encoded, 2.0, id="jpeg"),
        pytest.param(lambda p: encoded(p, "WEBP", lossless=True), encoded, 0.0, id="webp"),
        pytest.param(lambda p: encoded(p, "JPEG", quality=95, progressive=True), encoded, 2.0, id="progressive"),
        pytest.param(as_cmyk_jpeg, encoded, 3.0, id="cmyk"),
        pytest.param(lambda p: encoded(p.quantize(256)), encoded, 4.0, id="palette"),
        pytest.param(lambda p: encoded(p.convert("RGBA")), encoded, 0.0, id="opaque-alpha"),
        pytest.param(with_alpha, half_white, 0.0, id="alpha-on-white"),
        pytest.param(palette_with_transparency, half_white, 4.0, id="palette-transparency"),
        pytest.param(lambda p: encoded(p.convert("L")), lambda p: encoded(p.convert("L").convert("RGB")), 0.0, id="l"),
        pytest.param(lambda p: encoded(p.convert("LA")), lambda p: encoded(p.convert("L")), 0.0, id="la"),
        pytest.param(
            lambda p: encoded(p.convert("1")), lambda p: encoded(p.convert("1").convert("RGB")), 0.0, id="one-bit"
        ),
    ],
)
def test_a_twin_has_the_pixels_of_the_plain_picture(twin: Save, plain: Save, tolerance: float) -> None:
    picture = gradient()
    assert difference(twin(picture), plain(picture)) <= tolerance


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    # Given a grey of 30000 of 65535, in 16 bits
    wide = Image.fromarray(np.full((60, 60), 30000, np.uint16))
    # Then it is 117 of 255, not 255
    assert (load(encoded(wide), SMALL) == 117).all()


@pytest.mark.parametrize("depth", [8, 16])
def test_colours_of_sixteen_bits_are_right(depth: int) -> None:
    value = 0x4080 if depth == 16 else 0x40
    assert np.abs(load(rgb_png(40, 40, value, depth), SMALL).astype(int) - 0x40).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_orientations_are_the_same_picture(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = gradient(640, 480)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    body = encoded(stored, "JPEG", quality=95, exif=exif)
    assert difference(body, encoded(upright, "JPEG", quality=95)) < 1.0


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    first, second = gradient(), Image.new("RGB", (160, 120), (0, 0, 0))
    body = encoded(first, kind, save_all=True, append_images=[second], lossless=True)
    assert difference(body, encoded(first)) == 0


def test_scaled_decoding_stays_near_the_full_one() -> None:
    picture = gradient(1280, 960)
    assert difference(encoded(picture, "JPEG", quality=92), encoded(picture), Framing(224, 224, keep=0.875)) < 1.0


def test_the_crop_is_the_reference_one() -> None:
    # Given the reference: a centred square of 7/8 of the shorter side, resized bicubically
    picture = gradient(300, 200)
    side = int(0.875 * 200)
    left, top = (300 - side + 1) // 2, (200 - side + 1) // 2
    wanted = picture.resize((64, 64), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    found = load(encoded(picture), Framing(64, 64, keep=0.875))
    assert (found == np.asarray(wanted)).all()


def test_stretching_keeps_the_whole_picture() -> None:
    picture = gradient(300, 200)
    wanted = picture.resize((64, 32), Image.Resampling.BICUBIC)
    assert (load(encoded(picture), Framing(32, 64, fit="stretch")) == np.asarray(wanted)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (2, 3)])
def test_odd_shapes_do_not_crash(size: tuple[int, int]) -> None:
    assert load(encoded(Image.new("RGB", size, (9, 9, 9))), SMALL).shape == (48, 48, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 1000,
        b"<html><body>bird.jpg</body></html>",
        b"\xff\xd8\xff",
        encoded(gradient(), "GIF"),
        encoded(gradient(), "TIFF"),
        encoded(gradient(), "BMP"),
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
    ids=["empty", "zeros", "html", "stub", "gif", "tiff", "bmp", "pdf", "svg"],
)
def test_what_is_no_allowed_picture_is_the_clients_fault(body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        load(body, SMALL)
    assert refusal.value.status == 400


def test_the_bytes_decide_not_what_stands_behind_them() -> None:
    body = encoded(gradient(), "JPEG")
    assert (load(body + b"PK\x03\x04<script>", SMALL) == load(body, SMALL)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_picture_is_an_error_never_half_a_picture(kind: str) -> None:
    whole = encoded(gradient(640, 480), kind, **({"lossless": True} if kind == "WEBP" else {}))
    lasting = {"JPEG": 2, "PNG": 12, "WEBP": 0}[kind]  # behind the last pixel: an end mark that holds nothing
    for end in range(0, len(whole) - lasting, max(1, len(whole) // 150)):
        with pytest.raises(Refusal) as refusal:
            load(whole[:end], SMALL)
        assert refusal.value.status == 400


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(lambda: png_of(30_000, 30_000), id="png"),
        pytest.param(lambda: png_of(13_000, 13_000), id="png-below-pillows-error"),
        pytest.param(lambda: png_of(20_001, 1), id="long-side"),
        pytest.param(lambda: webp_canvas(16_000, 16_000), id="webp-canvas"),
        pytest.param(lambda: jpeg_of(65_000, 65_000), id="jpeg"),
    ],
)
def test_a_bomb_is_refused_by_its_header(bomb: Callable[[], bytes]) -> None:
    body = bomb()
    assert len(body) < 2_000_000
    gc.disable()  # looking for garbage in all that the tests have loaded would count
    try:
        began = time.thread_time()
        with pytest.raises(Refusal) as refusal:
            load(body, SMALL)
        took = time.thread_time() - began
    finally:
        gc.enable()
    assert refusal.value.status == 413
    assert took < 0.1


def test_the_limits_are_exact() -> None:
    assert open_picture(png_of(10_000, 5_000)).size == (10_000, 5_000)
    with pytest.raises(Refusal):
        open_picture(png_of(10_001, 5_000))


def png_of(width: int, height: int) -> bytes:
    """A PNG's header, and pixels that are never looked at."""
    return _png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(b"\0" * 1000))


def rgb_png(width: int, height: int, value: int, depth: int) -> bytes:
    """A flat RGB picture of 8 or 16 bits; Pillow writes no 16-bit colour itself."""
    row = b"\0" + value.to_bytes(depth // 8, "big") * 3 * width
    return _png(struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0), zlib.compress(row * height))


def _png(header: bytes, pixels: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose header lies about its size."""
    body = bytearray(encoded(gradient(16, 16), "JPEG"))
    at = body.index(b"\xff\xc0") + 5
    body[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(body)


def webp_canvas(width: int, height: int) -> bytes:
    """An animated WebP whose canvas lies about its size."""
    frames = [Image.new("RGB", (16, 16), (i, 0, 0)) for i in (0, 255)]
    body = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    assert body[12:16] == b"VP8X"
    body[24:27], body[27:30] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    return bytes(body)
