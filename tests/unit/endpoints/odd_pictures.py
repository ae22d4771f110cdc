"""Three hundred odd files from a seed: pictures in every dress, damaged ones, what only looks like one, and bombs."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

#: What becomes of a file: the same class as its plain twin, any answer, a refusal, or either of these.
TWIN, ANSWER, REFUSED, EITHER = "twin", "answer", "refused", "either"


@dataclass(frozen=True)
class Odd:
    name: str
    body: bytes
    wanted: str
    #: The plain picture of a twin.
    of: str = ""
    content_type: str = "application/x-image"
    #: What a refusal has to say.
    why: str = ""


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(picture: Image.Image, **options: Any) -> bytes:
    return encoded(picture, "JPEG", **{"quality": 92, **options})


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int, height: int, rows: bytes, depth: int = 8, colour: int = 2, laced: int = 0, more: bytes = b""
) -> bytes:
    """A PNG written by hand, for what Pillow does not write. `rows` have their filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, laced)
    parts = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def interlaced(picture: Image.Image) -> bytes:
    pixels = np.asarray(picture.convert("RGB"))
    rows = b""
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::across])
    return png(picture.width, picture.height, rows, laced=1)


def sixteen_bits(picture: Image.Image) -> bytes:
    pixels = np.asarray(picture.convert("RGB")).astype(">u2") * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(picture.width, picture.height, rows, depth=16)


def with_exif(value: Any, picture: Image.Image, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    options = {"quality": 92} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    return encoded(picture, kind, exif=exif, **options)


UNDO = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


def turned(picture: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    undo = UNDO[orientation]
    return with_exif(orientation, picture.transpose(undo) if undo is not None else picture, kind)


def mpo(picture: Image.Image) -> bytes:
    return encoded(picture, "MPO", save_all=True, append_images=[Image.new("RGB", picture.size)], quality=92)


def animated(picture: Image.Image, kind: str) -> bytes:
    more = {"lossless": True} if kind == "WEBP" else {}
    return encoded(picture, kind, save_all=True, append_images=[Image.new("RGB", picture.size)], **more)


def archive(before: bytes) -> bytes:
    """Picture and zip in one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("app.py", "print('hello')")
    return before + buffer.getvalue()


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def texts(*pairs: tuple[str, str], packed: bool = False) -> PngImagePlugin.PngInfo:
    made = PngImagePlugin.PngInfo()
    for name, value in pairs:
        made.add_text(name, value, zip=packed)
    return made


#: The same pixels, or nearly, in another dress.
TWINS: dict[str, Callable[[Image.Image], bytes]] = {
    "png": encoded,
    "png, interlaced": interlaced,
    "png, 16 bits": sixteen_bits,
    "png, palette": lambda p: encoded(p.quantize(256)),
    "png, opaque alpha": lambda p: encoded(p.convert("RGBA")),
    "png, animated": lambda p: animated(p, "PNG"),
    "png, ICC": lambda p: encoded(p, icc_profile=profile()),
    "png, broken ICC": lambda p: encoded(p, icc_profile=b"no profile"),
    "png, texts": lambda p: encoded(p, pnginfo=texts(("a", "b" * 1000), ("Comment", "<script>"))),
    "png, named jpeg": encoded,
    "jpeg": jpeg,
    "jpeg, progressive": lambda p: jpeg(p, progressive=True),
    "jpeg, optimised": lambda p: jpeg(p, optimize=True),
    "jpeg, 4:4:4": lambda p: jpeg(p, subsampling=0),
    "jpeg, 4:2:2": lambda p: jpeg(p, subsampling=1),
    "jpeg, restarts": lambda p: jpeg(p, restart_marker_rows=1),
    "jpeg, CMYK": lambda p: jpeg(p.convert("CMYK")),
    "jpeg, ICC": lambda p: jpeg(p, icc_profile=profile()),
    "jpeg, comment": lambda p: jpeg(p, comment=b"<?php system('id'); ?>"),
    "jpeg, and a zip": lambda p: archive(jpeg(p)),
    "jpeg, and a second": lambda p: jpeg(p) + jpeg(Image.new("RGB", p.size)),
    "jpeg, EXIF of nonsense": lambda p: jpeg(p, exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff"),
    "jpeg, orientation 9": lambda p: with_exif(9, p),
    "jpeg, orientation 0": lambda p: with_exif(0, p),
    "mpo": mpo,
    "webp": lambda p: encoded(p, "WEBP", quality=92),
    "webp, lossless": lambda p: encoded(p, "WEBP", lossless=True),
    "webp, alpha": lambda p: encoded(p.convert("RGBA"), "WEBP", quality=92),
    "webp, animated": lambda p: animated(p, "WEBP"),
    "webp, orientation 6": lambda p: turned(p, 6, "WEBP"),
    "png, orientation 8": lambda p: turned(p, 8, "PNG"),
    **{f"jpeg, orientation {n}": (lambda p, n=n: turned(p, n)) for n in range(1, 9)},  # type: ignore[misc]
}  # fmt: skip
NAMED = {"png, named jpeg": "image/jpeg", "webp, alpha": "image/png", "jpeg, CMYK": "image/webp"}


def corpus(seed: int, plain: dict[str, Image.Image]) -> list[Odd]:
    """`plain` by name: what the twins are made of, and all the rest."""
    chance = random.Random(seed)
    found = [
        Odd(f"{name}: {dress}", make(picture), TWIN, name, NAMED.get(dress, "application/x-image"))
        for name, picture in plain.items()
        for dress, make in TWINS.items()
    ]
    any_one = next(iter(plain.values()))
    return [*found, *_small_and_grey(any_one), *_no_pictures(any_one), *_bombs(), *_damaged(chance, any_one)]


def _small_and_grey(picture: Image.Image) -> Iterator[Odd]:
    for size in ((1, 1), (2, 3), (1, 20_000), (20_000, 1), (7, 4_000)):
        yield Odd(f"{size} pixels", encoded(Image.new("RGB", size, (9, 9, 9))), ANSWER)
    yield Odd("1 x 1 jpeg", jpeg(Image.new("L", (1, 1))), ANSWER)
    yield Odd("1 x 1 webp", encoded(Image.new("RGBA", (1, 1)), "WEBP"), ANSWER)
    for mode in ("1", "L", "LA", "P", "I;16"):
        yield Odd(f"png of mode {mode}", encoded(picture.convert("I;16" if mode == "I;16" else mode)), ANSWER)
    yield Odd("jpeg in grey", jpeg(picture.convert("L")), ANSWER)
    for depth in (1, 2, 4):
        yield Odd(f"grey of {depth} bits", png(8, 8, (b"\0" + bytes(depth)) * 8, depth, 0), ANSWER)
    yield Odd("transparent through and through", encoded(Image.new("RGBA", (50, 50), (0, 0, 0, 0))), ANSWER)
    yield Odd("palette of one colour", encoded(Image.new("P", (50, 50))), ANSWER)


def _no_pictures(picture: Image.Image) -> Iterator[Odd]:
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "SGI", "DIB", "EPS", "PDF", "JPEG2000"):
        body = encoded(picture.resize((32, 32)), kind)
        yield Odd(f"a {kind}", body, REFUSED, why="JPEG, PNG, WEBP")
        yield Odd(f"a {kind}, named jpeg", body, REFUSED, content_type="image/jpeg", why="JPEG, PNG, WEBP")
    heads = {
        "nothing": b"",
        "a letter": b"x",
        "text": b"I am a bird.\n" * 40,
        "zeros": bytes(1000),
        "html": b"<html>bird.jpg</html>",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "json": b'{"instances": []}',
        "gif in a nutshell": b"GIF89a",
        "psd": b"8BPS\0\1" + bytes(40),
        "zip": archive(b""),
        "heic": b"\0\0\0\x18ftypheic" + bytes(40),
        "avif": b"\0\0\0\x18ftypavif" + bytes(40),
        "elf": b"\x7fELF" + bytes(60),
        "postscript": b"%!PS-Adobe-3.0 EPSF\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run",
        "xbm": b"#define x_width 9\n#define x_height 9",
        "riff, no webp": b"RIFF\0\0\0\0WAVEfmt ",
        "utf-16": "bird".encode("utf-16"),
        "jpeg's first bytes": b"\xff\xd8\xff",
        "png's signature": b"\x89PNG\r\n\x1a\n",
        "webp's head": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        "only marks": b"\xff\xd8" + b"\xff" * 3000,
    }
    for name, body in heads.items():
        yield Odd(name, body, REFUSED)
    yield Odd("a gif before a jpeg", b"GIF89a" + jpeg(picture), REFUSED)
    yield Odd("html before a jpeg", b"<html>" + jpeg(picture), REFUSED)


def _bombs() -> Iterator[Odd]:
    large = "too large"
    for width, height in (
        (30_000, 1),
        (1, 30_000),
        (30_000, 30_000),
        (13_000, 13_000),
        (2**31 - 1, 2**31 - 1),
        (20_001, 5),
    ):
        yield Odd(f"png of {width} x {height}", png(width, height, bytes(1000)), REFUSED, why=large)
    for width, height in ((0, 0), (0, 9), (9, 0)):
        yield Odd(f"png of {width} x {height}", png(width, height, bytes(10)), REFUSED)
    small = jpeg(Image.new("RGB", (16, 16)))
    for width, height in ((65_000, 65_000), (65_535, 1), (0, 16), (16, 0)):
        body = bytearray(small)
        at = body.index(b"\xff\xc0") + 5
        body[at : at + 4] = struct.pack(">HH", height, width)
        yield Odd(f"jpeg of {width} x {height}", bytes(body), REFUSED, why=large if width * height else "")
    body = bytearray(animated(Image.new("RGB", (16, 16), (9, 0, 0)), "WEBP"))
    body[24:27] = body[27:30] = (16_000).to_bytes(3, "little")
    yield Odd("webp with a canvas of 16,001", bytes(body), REFUSED, why=large)
    yield Odd(
        "text that unfolds",
        encoded(Image.new("RGB", (9, 9)), pnginfo=texts(("a", "b" * 10_000_000), packed=True)),
        EITHER,
    )
    profile_bomb = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10_000_000)))
    yield Odd("a profile that unfolds", png(8, 8, (b"\0" + bytes(24)) * 8, more=profile_bomb), EITHER)
    yield Odd("a thousand chunks", png(8, 8, (b"\0" + bytes(24)) * 8, more=chunk(b"teSt", b"x") * 5_000), EITHER)
    yield Odd("rows that never end", png(8, 8, bytes(10_000_000)), EITHER)


def _damaged(chance: random.Random, picture: Image.Image) -> Iterator[Odd]:
    """Cut off: never half a picture. A few bytes changed: refused or answered, and nobody falls over."""
    small = picture.resize((120, 90))
    for name, body, lasting in (
        ("jpeg", jpeg(small), 2), ("progressive jpeg", jpeg(small, progressive=True), 2), ("png", encoded(small), 12),
        ("webp", encoded(small, "WEBP", lossless=True), 1), ("mpo", mpo(small), 0),
    ):  # fmt: skip
        for _ in range(8):
            end = chance.randrange(1, len(body) - lasting)
            wanted = EITHER if name == "mpo" else REFUSED  # behind its first picture an MPO has another
            yield Odd(f"{name}, {end} of {len(body)} bytes", body[:end], wanted)
        for _ in range(12):
            changed = bytearray(body)
            for _ in range(chance.randint(1, 20)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            yield Odd(f"{name} with bytes changed", bytes(changed), EITHER)
