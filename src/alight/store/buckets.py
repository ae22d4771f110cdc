"""Buckets: a name and its settings. The names' rules and defaults are the S3 service's."""

from __future__ import annotations

import json
from typing import Any

from alight.store.database import Database, Reader, Row, Tx
from alight.store.drafts import Drafts
from alight.store.ranges import after as behind
from alight.store.ranges import behind_prefix
from alight.store.shapes import Bucket, dump

#: Buckets kept in memory.
CACHE_SIZE = 1_024


class Buckets:
    """Rows of `buckets`. Reads take a `tx` where the answer must hold inside a job; what they give is the same object
    until the bucket changes, so it is to be read only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, Bucket] = {}
        self._drafts: Drafts[Bucket] = Drafts()

    def create_bucket(self, tx: Tx, name: str, settings: dict[str, Any] | None = None) -> Bucket | None:
        """The new bucket, or None where the name is taken."""
        now = self._database.clock.now()
        tx.run("buckets.add", name=name, now=now, settings=dump(settings or {}))
        made = tx.changes > 0
        self._changed(tx, name)
        return Bucket(name, now, dict(settings or {})) if made else None

    def get_bucket(self, name: str, tx: Tx | None = None) -> Bucket | None:
        """Raises `Damaged`. What is committed comes from memory where it can."""
        if tx is not None:
            return self._drafts.get(name, lambda: _read(tx, name))
        return self._known(name)

    def list_buckets(self, prefix: str = "", after: str = "", limit: int = 10_000) -> list[Bucket]:
        """Up to `limit` buckets in the order of names: those behind `after` that start with `prefix`."""
        start = max(prefix, behind(after)) if after else prefix
        rows = self._database.read().all("buckets.list", start=start, end=behind_prefix(prefix), limit=limit)
        return [_bucket(row) for row in rows]

    def set_setting(self, tx: Tx, name: str, setting: str, value: Any) -> Bucket | None:
        """Set one of a bucket's settings (None removes it). None where there is no such bucket."""
        bucket = self.get_bucket(name, tx)
        if bucket is None:
            return None
        settings = {key: old for key, old in bucket.settings.items() if key != setting}
        if value is not None:
            settings[setting] = value
        tx.run("buckets.change", name=name, settings=dump(settings))
        self._changed(tx, name)
        return Bucket(name, bucket.created, settings)

    def delete(self, tx: Tx, name: str) -> None:
        """Forget a bucket, as part of the job `tx`; what is in it is the caller's care."""
        tx.run("buckets.delete", name=name)
        self._changed(tx, name)

    def is_empty(self, tx: Tx, name: str) -> bool:
        """True where the bucket holds no object, and no version of one."""
        return tx.one("buckets.has_objects", name=name) is None

    def _known(self, name: str) -> Bucket | None:
        bucket = self._cache.get(name)
        if bucket is None:
            bucket = _read(self._database.read(), name)
            if bucket is not None:
                if len(self._cache) >= CACHE_SIZE:
                    self._cache.clear()
                self._cache[name] = bucket
        return bucket

    def _changed(self, tx: Tx, name: str) -> None:
        self._drafts.changed(tx, name)
        tx.after_commit(lambda: self._forget(name))

    def _forget(self, name: str) -> None:
        self._cache.pop(name, None)


def _read(source: Reader, name: str) -> Bucket | None:
    row = source.one("buckets.get", name=name)
    return None if row is None else _bucket(row)


def _bucket(row: Row) -> Bucket:
    return Bucket(row["name"], row["created"], json.loads(row["settings"]))
