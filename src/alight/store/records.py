"""Resource definitions: a function, a topic, a role is a JSON body under a kind and a name.

What the API creates and what a template creates are the same records. Services own the shape of their bodies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alight.store.database import Database, Row, Tx
from alight.store.drafts import Drafts
from alight.store.ranges import after as behind
from alight.store.ranges import behind_prefix

#: Definitions kept in memory; more than that and the least useful thing is to keep them all.
CACHE_SIZE = 4_096


@dataclass(frozen=True, slots=True)
class Record:
    """`body` is the caller's own copy. `created` and `modified` are in seconds since 1970."""

    kind: str
    name: str
    body: dict[str, Any]
    created: float
    modified: float


class Records:
    """Definitions by kind (`lambda:function`) and name. Reads come from memory where they can."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[tuple[str, str], Row | None] = {}
        self._drafts: Drafts[Row] = Drafts()
        self._kinds: Drafts[object] = Drafts()
        #: Counts what was changed: whatever was worked out of definitions holds as long as this is the same.
        self.version = 0

    def get(self, kind: str, name: str, tx: Tx | None = None) -> Record | None:
        """The definition as committed, or as the job `tx` sees it. Raises `Damaged`."""
        return _record(self._kept(kind, name, tx))

    def revision(self, kind: str, name: str, tx: Tx | None = None) -> object | None:
        """Something that stays the same object until the definition changes, cheap to ask for; None where there is
        none. To be compared by `is`, by those who keep what they made of a definition (jobs see another than the event
        loop does)."""
        return self._kept(kind, name, tx)

    def revision_of_all(self, kind: str, tx: Tx) -> object | None:
        """As `revision`, of all definitions of a kind together, as the job `tx` sees them."""
        return self._kinds.get(kind, object)

    def _kept(self, kind: str, name: str, tx: Tx | None) -> Row | None:
        place = (kind, name)
        if tx is not None:
            return self._drafts.get(place, lambda: tx.one("records.get", kind=kind, name=name))
        if place not in self._cache:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[place] = self._database.read().one("records.get", kind=kind, name=name)
        return self._cache[place]

    def list(
        self, kind: str, prefix: str = "", after: str = "", limit: int = 1000, tx: Tx | None = None
    ) -> list[Record]:
        """Up to `limit` definitions in the order of names: those behind `after` that start with `prefix`."""
        source = tx or self._database.read()
        start = max(prefix, behind(after)) if after else prefix
        rows = source.all("records.list", kind=kind, start=start, end=behind_prefix(prefix), limit=limit)
        return [_known(row) for row in rows]

    def put(self, tx: Tx, kind: str, name: str, body: Mapping[str, Any]) -> Record:
        """Define or redefine, as part of the job `tx`."""
        return self._put(tx, kind, name, _text(body))

    def _put(self, tx: Tx, kind: str, name: str, text: str) -> Record:
        now = self._database.clock.now()
        row = tx.one("records.put", kind=kind, name=name, body=text, now=now)
        self._changed(tx, kind, name)
        tx.after_commit(lambda: self._forget(kind, name))
        return Record(kind, name, json.loads(text), row["created"] if row else now, now)

    def delete(self, tx: Tx, kind: str, name: str) -> bool:
        """Forget a definition, as part of the job `tx`. False where there is none."""
        tx.run("records.delete", kind=kind, name=name)
        self._changed(tx, kind, name)
        tx.after_commit(lambda: self._forget(kind, name))
        return tx.changes > 0

    async def save(self, kind: str, name: str, body: Mapping[str, Any]) -> Record:
        """`put` as a job of its own."""
        return await self._database.write(lambda tx: self.put(tx, kind, name, body))

    async def save_all(self, definitions: Iterable[tuple[str, str, Mapping[str, Any] | None]]) -> None:
        """`put` of several, or `delete` where a body is None, as one job: all of them or none."""
        texts = [(kind, name, None if body is None else _text(body)) for kind, name, body in definitions]

        def job(tx: Tx) -> None:
            for kind, name, text in texts:
                if text is None:
                    self.delete(tx, kind, name)
                else:
                    self._put(tx, kind, name, text)

        await self._database.write(job)

    async def remove(self, kind: str, name: str) -> bool:
        """`delete` as a job of its own."""
        return await self._database.write(lambda tx: self.delete(tx, kind, name))

    def _changed(self, tx: Tx, kind: str, name: str) -> None:
        self._drafts.changed(tx, (kind, name))
        self._kinds.changed(tx, kind)

    def _forget(self, kind: str, name: str) -> None:
        self._cache.pop((kind, name), None)
        self.version += 1


_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _record(row: Row | None) -> Record | None:
    return None if row is None else _known(row)


def _known(row: Row) -> Record:
    # Parsed anew for each caller: a body that somebody changed must not become everybody's truth.
    return Record(row["kind"], row["name"], json.loads(row["body"]), row["created"], row["modified"])
