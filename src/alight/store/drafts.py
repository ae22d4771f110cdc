"""What jobs have read and nobody has changed since: every PUT asks again for its bucket and for the function it wakes.

Used in the writer's thread alone, which is also the only one that changes these rows: so what is kept here is what the
next job would read. What a job changes is read anew, and again where the job is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from alight.store.rows import Tx

#: Rows that are kept; more than that and all are read anew.
CACHE_SIZE = 1_024

T = TypeVar("T")


class Drafts(Generic[T]):
    """Rows of one table by their place, in whatever form their owner reads them."""

    def __init__(self) -> None:
        self._rows: dict[Hashable, T | None] = {}

    def get(self, place: Hashable, read: Callable[[], T | None]) -> T | None:
        """The row as the present job sees it: the same object until it is changed. Raises what `read` raises."""
        try:
            return self._rows[place]
        except KeyError:
            if len(self._rows) >= CACHE_SIZE:
                self._rows.clear()
            row = self._rows[place] = read()
            return row

    def changed(self, tx: Tx, place: Hashable) -> None:
        """The job `tx` has just changed this row."""
        self._forget(place)
        tx.after_rollback(lambda: self._forget(place))

    def _forget(self, place: Hashable) -> None:
        self._rows.pop(place, None)
