"""A page of keys in byte order. Keys that roll up to a common prefix are jumped over, not read."""

from __future__ import annotations

from collections import deque

from alight.store.database import Reader, Row
from alight.store.ranges import after as behind
from alight.store.ranges import behind_prefix
from alight.store.shapes import ObjectRow, Page, load_object

_FIRST_BATCH = 32
_SMALLEST_BATCH = 2
_LARGEST_BATCH = 1_000


def list_objects(reader: Reader, bucket: str, prefix: str, after: str, limit: int) -> list[ObjectRow]:
    """Up to `limit` objects behind `after` whose keys start with `prefix`."""
    start = max(prefix, behind(after)) if after else prefix
    end = behind_prefix(prefix)
    return [load_object(row) for row in reader.all("objects.list", bucket=bucket, start=start, end=end, limit=limit)]


def list_page(reader: Reader, bucket: str, prefix: str, delimiter: str, start_after: str, limit: int) -> Page:
    """Up to `limit` objects and common prefixes together.

    A common prefix ends with the first `delimiter` behind `prefix`. A `start_after` that is itself a common prefix
    leaves out all that it stands for.
    """
    walk = _Walk(reader, bucket, prefix, delimiter, start_after)
    rows: list[ObjectRow] = []
    prefixes: list[str] = []
    last = ""
    for _ in range(limit):
        row = walk.next()
        if row is None:
            return Page(rows, prefixes, None)
        common = walk.rolled_up(row["key"])
        if common is None:
            last = row["key"]
            rows.append(load_object(row))
        else:
            last = common
            prefixes.append(common)
            walk.jump(behind_prefix(common))
    return Page(rows, prefixes, last if last and walk.next() is not None else None)


class _Walk:
    """Reads rows in batches that grow while all are used and shrink when a jump leaves many unused."""

    def __init__(self, reader: Reader, bucket: str, prefix: str, delimiter: str, start_after: str) -> None:
        self._reader = reader
        self._bucket = bucket
        self._prefix = prefix
        self._delimiter = delimiter
        self._end = behind_prefix(prefix)
        self._start: str | bytes = prefix
        if start_after:
            done = start_after == self.rolled_up(start_after)
            self._start = _later(prefix, behind_prefix(start_after) if done else behind(start_after))
        self._rows: deque[Row] = deque()
        self._size = _FIRST_BATCH

    def rolled_up(self, key: str) -> str | None:
        """The common prefix that stands for `key`."""
        if not self._delimiter or not key.startswith(self._prefix):
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def next(self) -> Row | None:
        """The next object's row, or None at the end."""
        while not self._rows:
            if isinstance(self._start, bytes) or not self._fetch(self._start):
                return None
        return self._rows.popleft()

    def jump(self, start: str | bytes) -> None:
        """Go on at `start`."""
        while self._rows and (isinstance(start, bytes) or self._rows[0]["key"] < start):
            self._rows.popleft()
        if not self._rows:
            self._start = start if isinstance(start, bytes) else _later(start, self._start)
            self._size = _SMALLEST_BATCH

    def _fetch(self, start: str) -> bool:
        """Read on from `start`; False where nothing is left. A batch of damaged rows leaves nothing to use."""
        found = self._reader.every("objects.list", bucket=self._bucket, start=start, end=self._end, limit=self._size)
        if found:
            self._start = behind(found[-1][0]["key"])
        self._rows.extend(row for row, whole in found if whole)
        self._size = min(self._size * 4, _LARGEST_BATCH)
        return bool(found)


def _later(first: str, second: str | bytes) -> str | bytes:
    return second if isinstance(second, bytes) else max(first, second)
