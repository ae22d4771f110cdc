"""A browser's form as it arrives: multipart/form-data taken apart piece by piece, its file never held in memory.

`Form.front` reads the fields before the file, which are few and small; `Form.file` then hands the file on as it
comes. Everything is bounded, and whatever could be read in two ways (a doubled field, a bare line end, a boundary
inside the content) is refused.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from alight.errors.s3 import (
    IncorrectNumberOfFilesInPostRequest,
    InvalidArgument,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceededError,
)

#: Bytes of all that comes before the file's content, as on S3; the same again may come after it and is dropped.
MAX_FRONT = 20_480
MAX_FIELDS = 100

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_HEADER = re.compile(r"([!#-'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_PARAMETER = re.compile(r';[ \t]*([A-Za-z0-9*_-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))[ \t]*')
_PLAIN = frozenset({"7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class Front:
    """The fields before the file, by lower-case names, and the name under which the file was sent ("" for none)."""

    fields: dict[str, str]
    filename: str


def boundary_of(content_type: str) -> bytes:
    """Raises `MalformedPOSTRequest`."""
    _, _, rest = content_type.partition(";")
    found = _parameters(";" + rest).get("boundary", "") if rest else ""
    if not _BOUNDARY.fullmatch(found):
        raise MalformedPOSTRequest
    return found.encode()


class Form:
    """One form, read once from front to end."""

    def __init__(self, pieces: AsyncIterable[bytes], boundary: bytes) -> None:
        self._source = aiter(pieces)
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter has no line end before it: with one, all are alike.
        self._buffer = bytearray(b"\r\n")
        self._taken = 0

    async def front(self) -> Front:
        """Everything before the file. Raises S3's faults for a form that is too large, malformed or without a file."""
        if await self._until(self._delimiter):
            raise MalformedPOSTRequest
        fields: dict[str, str] = {}
        while await self._another():
            name, filename = _disposition(await self._until(b"\r\n\r\n"))
            if name == "file":
                return Front(fields, filename)
            if name in fields:
                raise InvalidArgument(f"POST requires exactly one field of each name: {name}", ArgumentName=name)
            if len(fields) >= MAX_FIELDS:
                raise MaxPostPreDataLengthExceededError
            fields[name] = _text(await self._until(self._delimiter))
        raise InvalidArgument(
            "POST requires exactly one file upload per request.", ArgumentName="file", ArgumentValue="0"
        )

    async def file(self) -> AsyncIterator[bytes]:
        """The file's content. Whoever has read to the end without a fault has read a whole, well-formed form."""
        delimiter, buffer = self._delimiter, self._buffer
        keep = len(delimiter) - 1
        while (end := buffer.find(delimiter)) < 0:
            if len(buffer) > keep:
                yield self._take(len(buffer) - keep)
            await self._more()
        if end:
            yield self._take(end)
        del buffer[: len(delimiter)]
        await self._rest()

    async def _rest(self) -> None:
        """What comes after the file says nothing, as on S3; but it has to end, and not be a second file."""
        self._taken = 0
        while await self._another():
            name, _ = _disposition(await self._until(b"\r\n\r\n"))
            if name == "file":
                raise IncorrectNumberOfFilesInPostRequest
            await self._until(self._delimiter)
        size = len(self._buffer)
        async for piece in self._source:
            size += len(piece)
            if size > MAX_FRONT:
                break
        if size > MAX_FRONT:
            raise MalformedPOSTRequest

    async def _another(self) -> bool:
        """After a delimiter: True where a part begins, False where the form ends."""
        while len(self._buffer) < 2:
            await self._more()
        end = self._take(2)
        if end not in (b"\r\n", b"--"):
            raise MalformedPOSTRequest
        return end == b"\r\n"

    async def _until(self, mark: bytes) -> bytes:
        """What stands before `mark`, which is taken off as well."""
        start = 0
        while (end := self._buffer.find(mark, start)) < 0:
            if self._taken + len(self._buffer) > MAX_FRONT:
                raise MaxPostPreDataLengthExceededError
            start = max(0, len(self._buffer) - len(mark) + 1)
            await self._more()
        self._taken += end + len(mark)
        if self._taken > MAX_FRONT:
            raise MaxPostPreDataLengthExceededError
        found = self._take(end)
        del self._buffer[: len(mark)]
        return found

    async def _more(self) -> None:
        piece = await anext(self._source, None)
        if piece is None:
            raise MalformedPOSTRequest
        self._buffer += piece

    def _take(self, size: int) -> bytes:
        piece = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return piece


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedPOSTRequest("The fields of the form must be UTF-8.") from None


def _disposition(head: bytes) -> tuple[str, str]:
    """Lower-case name and file name of a part."""
    headers: dict[str, str] = {}
    for line in _text(head).split("\r\n"):
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in headers:
            raise MalformedPOSTRequest
        headers[found[1].lower()] = found[2].strip(" \t")
    # Other encodings would have to be undone; no browser sends them.
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN:
        raise MalformedPOSTRequest
    kind, semicolon, rest = headers.get("content-disposition", "").partition(";")
    parameters = _parameters(semicolon + rest)
    name = parameters.get("name", "").lower()
    if kind.strip().lower() != "form-data" or not name:
        raise MalformedPOSTRequest
    return name, parameters.get("filename", "")


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in found:
            raise MalformedPOSTRequest
        quoted, plain = match[2], match[3]
        found[match[1].lower()] = plain if quoted is None else quoted.replace('\\"', '"')
        at = match.end()
    return found
