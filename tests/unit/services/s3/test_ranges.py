"""Ranges as a table, and every understood one against a plain slice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.errors.s3 import InvalidArgument, InvalidRange
from alight.services.s3.ranges import copied, requested


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9", (0, 10)),
        ("bytes=0-", (0, 10)),
        ("bytes=9-", (9, 10)),
        ("bytes=5-99999", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes = 2 - 3", (2, 4)),
        # Not understood, or several: the whole object.
        ("bytes=5-2", None),
        ("bytes=a-b", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("items=0-1", None),
        ("bytes=0-1,4-5", None),
        ("bytes=" + ",".join("0-1" for _ in range(1000)), None),
        ("bytes=0-" + "9" * 5000, None),
    ],
)
def test_of_ten_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    span = requested(header, 10)
    assert (None if span is None else (span.start, span.end)) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)])
def test_no_byte_meant(header: str, size: int) -> None:
    with pytest.raises(InvalidRange) as refused:
        requested(header, size)
    assert refused.value.members == {"RangeRequested": header, "ActualObjectSize": size}
    assert refused.value.status == 416


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30))
def test_a_range_is_a_slice(first: int, last: int, size: int) -> None:
    body = bytes(range(size))
    if first > last or first >= size:
        return
    span = requested(f"bytes={first}-{last}", size)
    assert span is not None
    assert body[span.start : span.end] == body[first : last + 1]
    assert span.content_range() == f"bytes {first}-{min(last, size - 1)}/{size}"


def test_copy_ranges() -> None:
    span = copied("bytes=2-4", 10)
    assert span is not None
    assert (span.start, span.end, span.length) == (2, 5, 3)
    assert copied(None, 10) is None


@pytest.mark.parametrize("header", ["bytes=2-", "bytes=-2", "2-4", "bytes=4-2", "bytes=0-10", "bytes=0-1,2-3", ""])
def test_copy_ranges_refused(header: str) -> None:
    with pytest.raises(InvalidArgument):
        copied(header, 10)
