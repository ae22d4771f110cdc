"""Forms taken apart: any file in any pieces comes out as it was, and nothing grows with what is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.errors import Fault
from alight.errors.s3 import (
    IncorrectNumberOfFilesInPostRequest,
    InvalidArgument,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceededError,
)
from alight.gateway.multipart import MAX_FRONT, Form, boundary_of

KEY = b'--b\r\ncontent-disposition: form-data; name="key"\r\n\r\nk\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: image/jpeg\r\n\r\n'


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int = 65_536) -> tuple[dict[str, str], str, bytes]:
    form = Form(pieces(body, size), b"b")
    front = await form.front()
    return front.fields, front.filename, b"".join([piece async for piece in form.file()])


#: Contents in which delimiters nearly come.
CONTENTS = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"\r\n--a", b"x", b"\x00\xff"])).map(
    b"".join
)


@settings(deadline=None)
@given(CONTENTS, st.integers(1, 40))
async def test_any_file_in_any_pieces(content: bytes, size: int) -> None:
    if b"\r\n--b" in content:
        content = content.replace(b"b", b"x")
    assert await read(KEY + FILE + content + b"\r\n--b--\r\n", size) == ({"key": "k"}, "f", content)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 50))
async def test_garbage_is_a_fault(body: bytes, size: int) -> None:
    for front in (b"", b"--b\r\n", KEY, KEY + FILE, KEY + FILE + b"x\r\n--b"):
        # No other exception, and none that would be told as our own bug.
        with suppress(MalformedPOSTRequest, MaxPostPreDataLengthExceededError, InvalidArgument):
            await read(front + body, size)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b'form-data; name="file"; filename="a b.jpg"', "a b.jpg"),
        (b'form-data; name="file"; filename="a\\"b.jpg"', 'a"b.jpg'),
        (b'form-data; name="file"; filename="a;name=key"', "a;name=key"),
        (b'form-data; filename="C:\\x\\y.jpg"; name="FILE"', "C:\\x\\y.jpg"),
        ("form-data; name=file; filename=\u00fc.jpg".encode(), "\u00fc.jpg"),
        (b"form-data;name=file", ""),
    ],
)
async def test_names_of_files(head: bytes, name: str) -> None:
    body = b"--b\r\ncontent-disposition: " + head + b"\r\n\r\nx\r\n--b--"
    assert await read(body) == ({}, name, b"x")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", MalformedPOSTRequest),
        (b"x" * MAX_FRONT, MaxPostPreDataLengthExceededError),
        (b"preamble\r\n" + KEY + FILE + b"x\r\n--b--", MalformedPOSTRequest),
        (b"--b--", InvalidArgument),
        (KEY + b"--b--", InvalidArgument),
        (KEY, MalformedPOSTRequest),
        (KEY + KEY + FILE + b"x\r\n--b--", InvalidArgument),
        (KEY + FILE + b"x", MalformedPOSTRequest),
        (KEY + FILE + b"x\r\n--b", MalformedPOSTRequest),
        (KEY + FILE + b"x\r\n--b-", MalformedPOSTRequest),
        (KEY + FILE + b"x\r\n--bc\r\n--b--", MalformedPOSTRequest),
        (KEY + FILE + b"x\r\n--b\r\n", MalformedPOSTRequest),
        (KEY + FILE + b"x\r\n" + FILE + b"y\r\n--b--", IncorrectNumberOfFilesInPostRequest),
        (KEY + FILE + b"x\r\n--b--" + b"y" * (MAX_FRONT + 1), MalformedPOSTRequest),
        (KEY + FILE + b"x\r\n" + KEY.replace(b"k\r", b"k" * MAX_FRONT + b"\r"), MaxPostPreDataLengthExceededError),
        (KEY.replace(b"k\r", b"k" * MAX_FRONT + b"\r"), MaxPostPreDataLengthExceededError),
        (KEY.replace(b"k\r", b"\xff\r") + FILE + b"x\r\n--b--", MalformedPOSTRequest),
        (b"--b\r\n" + b"a: b\r\n" * MAX_FRONT, MaxPostPreDataLengthExceededError),
        (b"--b\r\na: b\r\n\r\nx\r\n--b--", MalformedPOSTRequest),
        (b"--b\r\n\r\nx\r\n--b--", MalformedPOSTRequest),
        (b"--b\ncontent-disposition: form-data; name=key\n\nk\n--b--", MalformedPOSTRequest),
        (b"--b\r\ncontent-disposition: form-data; name=key\nx: y\r\n\r\nk\r\n--b--", MalformedPOSTRequest),
        (b"--b\r\ncontent-disposition: form-data;\r\n name=key\r\n\r\nk\r\n--b--", MalformedPOSTRequest),
        (b"--b\r\ncontent-disposition: attachment; name=key\r\n\r\nk\r\n--b--", MalformedPOSTRequest),
        (b"--b\r\ncontent-disposition: form-data; name=key; name=acl\r\n\r\nk\r\n--b--", MalformedPOSTRequest),
        (b'--b\r\ncontent-disposition: form-data; name="key\r\n\r\nk\r\n--b--', MalformedPOSTRequest),
        (KEY.replace(b"\r\n\r\n", b"\r\ncontent-transfer-encoding: base64\r\n\r\n"), MalformedPOSTRequest),
        (KEY.replace(b"\r\n\r\n", b"\r\ncontent-disposition: form-data; name=acl\r\n\r\n"), MalformedPOSTRequest),
    ],
)
@pytest.mark.parametrize("size", [1, 65_536])
async def test_forms_that_are_refused(body: bytes, fault: type[Fault], size: int) -> None:
    with pytest.raises(fault):
        await read(body, size)


async def test_ten_thousand_parts() -> None:
    parts = b"".join(KEY.replace(b"key", b"k%d" % number) for number in range(10_000))
    with pytest.raises(MaxPostPreDataLengthExceededError):
        await read(parts + FILE + b"x\r\n--b--")


async def test_a_file_without_end_is_not_held() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield KEY + FILE
        while True:
            yield b"\r\n--" * 16_384

    form = Form(endless(), b"b")
    await form.front()
    count = 0
    async for piece in form.file():
        count += len(piece)
        assert len(form._buffer) < 16
        if count > 8 * 1024 * 1024:
            break


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=b", b"b"),
        ("multipart/form-data;boundary=----WebKitFormBoundaryABC", b"----WebKitFormBoundaryABC"),
        ('multipart/form-data; boundary="a b=c"', b"a b=c"),
        ("multipart/form-data; charset=utf-8; Boundary=b", b"b"),
    ],
)
def test_boundaries(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "rest",
    [
        "", ";", "; boundary", "; boundary=", '; boundary=""', "; boundary=a; boundary=b", "; boundary=" + "b" * 71,
        '; boundary="a\r\n"', '; boundary="a "', "; boundary=\u00fc", '; boundary="b',
    ],
)  # fmt: skip
def test_boundaries_that_are_none(rest: str) -> None:
    with pytest.raises(MalformedPOSTRequest):
        boundary_of(f"multipart/form-data{rest}")
