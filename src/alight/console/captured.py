"""Captured data as a page shows it: the newest requests that an endpoint kept, with what it answered.

The files lie in a bucket, and whoever may write there may have written them: a line is shown if it can be read, and
nothing of it is believed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alight.errors.store import Damaged
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectRow

#: Requests that are shown, and files that are looked into for them at most.
SHOWN, FILES = 20, 20
#: Bytes that are read of a file, at its end, where the newest lines stand.
READ = 512 * 1024
#: Characters of a request and of an answer that are shown.
TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Part:
    """A request, or an answer: `text` is its beginning, empty where it is no text; `size` in bytes."""

    content_type: str
    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Kept:
    """One captured request, and the file where it stands; `trouble` where that file has none that can be shown."""

    file: ObjectRow
    when: float | None = None
    asked: Part | None = None
    answered: Part | None = None
    trouble: str = ""


async def newest(objects: ObjectStore, bucket: str, folders: Sequence[str]) -> list[Kept]:
    """The newest requests below these folders of a bucket, newest first."""
    files = [row for folder in folders for row in _files(objects, bucket, folder, FILES)]
    files = sorted(files, key=lambda row: row.last_modified, reverse=True)[:FILES]
    found: list[Kept] = []
    for file in files:
        if len(found) >= SHOWN:
            break
        found += [one async for one in _requests(objects, file)]
    return found[:SHOWN]


def _files(objects: ObjectStore, bucket: str, prefix: str, most: int) -> list[ObjectRow]:
    """They lie by variant, year, month, day and hour: the last folder has the newest."""
    page = objects.list_page(bucket, prefix, "/")
    found = sorted(page.rows, key=lambda row: row.last_modified, reverse=True)[:most]
    for folder in reversed(page.common_prefixes):
        if len(found) < most:
            found += _files(objects, bucket, folder, most - len(found))
    return found


async def _requests(objects: ObjectStore, file: ObjectRow) -> AsyncIterator[Kept]:
    row = objects.get(file.bucket, file.key)
    if row is None:
        return
    body = objects.open_body(row, max(0, row.size - READ))
    try:
        lines = b"".join([chunk async for chunk in body]).split(b"\n")
    except Damaged:
        yield Kept(file, trouble="The file is damaged: alight verify says more.")
        return
    some = list(_readable(file, lines if row.size <= READ else lines[1:]))
    if not some:
        some = [Kept(file, trouble="No line of it can be shown here.")]
    for one in reversed(some):
        yield one


def _readable(file: ObjectRow, lines: Sequence[bytes]) -> Iterator[Kept]:
    """What has the form of captured data, in the order of the lines."""
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            given = json.loads(line)
            data, about = given["captureData"], given["eventMetadata"]
            when = datetime.fromisoformat(about["inferenceTime"]).timestamp()
            yield Kept(file, when, _part(data.get("endpointInput")), _part(data.get("endpointOutput")))


def _part(given: Any) -> Part | None:
    """None where this side was not captured. Raises what Python does where it has another form."""
    if given is None:
        return None
    is_bytes = given["encoding"] == "BASE64"
    body = base64.b64decode(given["data"], validate=True) if is_bytes else str(given["data"]).encode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    return Part(str(given.get("observedContentType") or ""), text[:TEXT], len(body))
