"""A page of versions: by key in byte order, newest first; keys that roll up to a common prefix are jumped over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import takewhile

from alight.store.database import Reader
from alight.store.ranges import after as behind
from alight.store.ranges import behind_prefix
from alight.store.shapes import ObjectRow, load_object

BATCH = 200
#: Greater than every sequencer: all versions of a key lie behind it.
FIRST = "G"


@dataclass(frozen=True, slots=True)
class Version:
    """One version or delete marker, and whether it is the newest of its key."""

    row: ObjectRow
    latest: bool


@dataclass(frozen=True, slots=True)
class VersionPage:
    """A stretch of a listing. `next` is (key or common prefix, version's id or nothing); None at the end."""

    versions: list[Version]
    common_prefixes: list[str]
    next: tuple[str, str] | None


def list_versions(
    reader: Reader, bucket: str, prefix: str, delimiter: str, after_key: str, after_sequencer: str, limit: int
) -> VersionPage:
    """Up to `limit` versions and common prefixes: those behind the version `after_sequencer` of `after_key`, or behind
    all of that key's (and all that it stands for, where it is a common prefix) where it is empty."""
    start: str | bytes = prefix
    if after_key and after_sequencer:
        start = max(prefix, after_key)
    elif after_key:
        rolled = _rolled_up(after_key, prefix, delimiter) == after_key
        start = _later(prefix, behind_prefix(after_key) if rolled else behind(after_key))
    walk = _walk(reader, bucket, prefix, start, after_sequencer if start == after_key else "")
    found: list[Version] = []
    prefixes: list[str] = []
    last: tuple[str, str] = ("", "")
    while (version := next(walk, None)) is not None:
        if len(found) + len(prefixes) == limit:
            return VersionPage(found, prefixes, last)
        common = _rolled_up(version.row.key, prefix, delimiter)
        if common is None:
            found.append(version)
            last = (version.row.key, version.row.visible)
        else:
            prefixes.append(common)
            last = (common, "")
            walk = _walk(reader, bucket, prefix, behind_prefix(common), "")
    return VersionPage(found, prefixes, None)


def all_versions(reader: Reader, bucket: str, after: str = "") -> Iterator[Version]:
    """Every version of a bucket behind the key `after`, by key, newest first; read in batches."""
    return _walk(reader, bucket, "", behind(after) if after else "", "")


def versions_of(reader: Reader, bucket: str, key: str) -> Iterator[Version]:
    """Every version of one key, newest first."""
    return takewhile(lambda one: one.row.key == key, _walk(reader, bucket, key, key, ""))


def _walk(reader: Reader, bucket: str, prefix: str, start: str | bytes, sequencer: str) -> Iterator[Version]:
    """From the key `start` on, or from behind that version of it."""
    if isinstance(start, bytes):
        return
    end = behind_prefix(prefix)
    both = merge(
        _current(reader, bucket, start, end, sequencer),
        _others(reader, bucket, start, end, sequencer or FIRST),
        key=_place,
    )
    key = start if sequencer not in ("", FIRST) else None
    for row in both:
        yield Version(row, row.key != key)
        key = row.key


def _place(row: ObjectRow) -> tuple[str, int]:
    return row.key, -int(row.sequencer, 16)


def _current(reader: Reader, bucket: str, start: str, end: str | bytes, sequencer: str) -> Iterator[ObjectRow]:
    """Current versions. Where the page begins inside a key, its current one may lie before or behind that place."""
    place = start
    while rows := reader.every("objects.list", bucket=bucket, start=place, end=end, limit=BATCH):
        for row, whole in rows:
            if whole and not (sequencer and row["key"] == start and row["sequencer"] >= sequencer):
                yield load_object(row)
        place = behind(rows[-1][0]["key"])


def _others(reader: Reader, bucket: str, start: str, end: str | bytes, sequencer: str) -> Iterator[ObjectRow]:
    key = start
    while rows := reader.every("versions.list", bucket=bucket, start=key, end=end, sequencer=sequencer, limit=BATCH):
        yield from (load_object(row) for row, whole in rows if whole)
        key, sequencer = rows[-1][0]["key"], rows[-1][0]["sequencer"]


def _rolled_up(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that stands for `key`."""
    if not delimiter or not key.startswith(prefix):
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def _later(first: str, second: str | bytes) -> str | bytes:
    return second if isinstance(second, bytes) else max(first, second)
