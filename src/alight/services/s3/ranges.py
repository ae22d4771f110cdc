"""Which bytes of an object: the Range header, part numbers and the range of a part copy. Pure.

A `Span` is half open: `start` up to, not including, `end`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from alight.errors.s3 import InvalidArgument, InvalidRange

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)", re.ASCII)
_COPY_RANGE = re.compile(r"bytes=(\d+)-(\d+)", re.ASCII)
_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end` (exclusive) of an object of `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        return self.end - self.start

    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def requested(header: str | None, size: int) -> Span | None:
    """The span that a Range header asks for; None: the whole object (no header, one that is not understood, several
    ranges: S3 then answers 200 with everything). Raises `InvalidRange` (416) where no byte of the object is meant.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if header is None or found is None:
        return None
    first, last = found.groups()
    if (not first and not last) or max(len(first), len(last)) > _DIGITS:
        return None
    if first and last and int(first) > int(last):
        return None
    start, end = (int(first), int(last) + 1 if last else size) if first else (size - int(last), size)
    span = Span(max(start, 0), min(end, size), size)
    if span.length <= 0:
        raise InvalidRange(RangeRequested=header, ActualObjectSize=size)
    return span


def copied(header: str | None, size: int) -> Span | None:
    """The span of UploadPartCopy's CopySourceRange; None: the whole source. Raises `InvalidArgument`."""
    if header is None:
        return None
    found = _COPY_RANGE.fullmatch(header)
    if found is None or max(map(len, found.groups())) > _DIGITS or int(found[1]) > int(found[2]):
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=header,
        )
    if int(found[2]) >= size:
        raise InvalidArgument(
            f"Range specified is not valid for source object of size: {size}",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=header,
        )
    return Span(int(found[1]), int(found[2]) + 1, size)
