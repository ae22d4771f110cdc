"""What the website door sends: an object with its headers, a page, a redirect; and the sending itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from alight.asgi import Receive, Send, send_pieces
from alight.services.s3 import conditions, headers
from alight.services.s3.conditions import Conditions
from alight.services.s3.ground import moment, quoted
from alight.services.s3.ranges import requested
from alight.store.objects import ObjectStore
from alight.store.reading import Body
from alight.store.shapes import ObjectRow

#: Kept members of an object, as headers.
_NAMES = {
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentType": "content-type",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body; `length` is that of the body that a GET gets."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body = b""
    length: int = 0


def validators(row: ObjectRow) -> dict[str, str]:
    """By what a client knows its copy again."""
    return {"etag": quoted(row.etag), "last-modified": format_datetime(moment(row.last_modified), usegmt=True)}


def of_object(objects: ObjectStore, row: ObjectRow, asked: Mapping[str, str]) -> Answer:
    """An object as asked for. Raises `NotModified`, `PreconditionFailed`, `InvalidRange`."""
    conditions.check_read(_conditions(asked), row.etag, row.last_modified)
    header = asked.get("range")
    if not conditions.is_same(asked.get("if-range"), row.etag, row.last_modified):
        header = None
    span = requested(header, row.size)
    if span is None:
        return whole(objects, row, 200)
    body = objects.open_body(row, span.start, span.end)
    return Answer(206, _shown(row) | {"content-range": span.content_range()}, body, span.length)


def whole(objects: ObjectStore, row: ObjectRow, status: int) -> Answer:
    """All of an object, under any status: error documents have that of the error."""
    return Answer(status, _shown(row), objects.open_body(row), row.size)


def _shown(row: ObjectRow) -> dict[str, str]:
    members = headers.shown(row)
    found = {name: str(members[member]) for member, name in _NAMES.items() if members.get(member)}
    if "Expires" in members:
        found["expires"] = format_datetime(members["Expires"], usegmt=True)
    found |= {f"x-amz-meta-{name}": value for name, value in members["Metadata"].items()}
    return found | validators(row) | {"accept-ranges": "bytes"}


def _conditions(asked: Mapping[str, str]) -> Conditions:
    """Dates that are none are as if they were not there, as HTTP wants it."""

    def date(name: str) -> Any:
        with suppress(ValueError, KeyError):
            return parsedate_to_datetime(asked[name])
        return None

    return Conditions(
        asked.get("if-match"), asked.get("if-none-match"), date("if-modified-since"), date("if-unmodified-since")
    )


async def send_answer(answer: Answer, method: str, receive: Receive, send: Send) -> None:
    """The whole answer; what an object is read from is closed behind it."""
    try:
        told = (
            dict(answer.headers) if answer.status == 304 else {**answer.headers, "content-length": str(answer.length)}
        )
        pairs = [(name.encode("latin-1"), _clean(value)) for name, value in told.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        if method == "HEAD" or isinstance(answer.body, bytes):
            body = b"" if method == "HEAD" or not isinstance(answer.body, bytes) else answer.body
            await send({"type": "http.response.body", "body": body})
            return
        await send_pieces(answer.body, receive, send)
    finally:
        if isinstance(answer.body, Body):
            await answer.body.aclose()


def _clean(value: str) -> bytes:
    """A header's value on one line, whatever was stored."""
    return "".join(part for part in value if part.isprintable()).encode("utf-8", "replace")
