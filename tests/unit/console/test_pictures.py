"""What a thumbnail is made of, in the process that makes it."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image

from alight.console.frames import ANSWER, REQUEST
from alight.console.shrinker import shrink


def picture(kind: str, size: tuple[int, int] = (400, 300), mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **more)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("GIF", "P"), ("WEBP", "RGB")]
)
def test_a_picture_becomes_a_small_jpeg(kind: str, mode: str) -> None:
    made = Image.open(io.BytesIO(shrink(picture(kind, mode=mode), 160)))
    assert (made.format, made.size) == ("JPEG", (160, 120))


def test_a_turned_picture_stands_upright() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    assert Image.open(io.BytesIO(shrink(picture("JPEG", exif=turned), 160))).size == (120, 160)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"<svg onload='x'/>", picture("PNG")[:-30], picture("PPM"), picture("ICO")]
)
def test_what_is_no_picture_of_ours_is_nothing(content: bytes) -> None:
    assert shrink(content, 160) == b""


def test_the_process_answers_one_frame_for_each_and_lives_on_after_junk() -> None:
    frames = [b"junk", picture("JPEG"), b"", picture("PNG")]
    asked = b"".join(REQUEST.pack(160, len(frame)) + frame for frame in frames)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "alight.console.shrinker"],
        input=asked,
        capture_output=True,
        timeout=60,
        check=True,
    )
    rest, answers = done.stdout, []
    while rest:
        (length,) = ANSWER.unpack(rest[: ANSWER.size])
        answers.append(rest[ANSWER.size : ANSWER.size + length])
        rest = rest[ANSWER.size + length :]
    assert [bool(answer) for answer in answers] == [False, True, False, True]
