"""A state that a flipped bit has made of another, in a row or in the index by which it is found.

The rows of events and deliveries are under a checksum, but for what their way changes. There a bit is a try too early
or too late, or a dead letter that somebody sees; but a word that is no state would be found by its index and never
moved, so tried for ever, or never be found. Where an index and its row say different things, the index is made anew,
and what is in no state is a dead letter, `Damaged`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from alight.store.rows import Tx


def mend_events(tx: Tx, now: float) -> None:
    tx.run("journal.mend_index")
    for row, _ in tx.every("journal.mend", now=now):
        # Staged by an attempt that can no longer decide.
        tx.run("outbox.discard_event", event_id=row["id"])


def mend_deliveries(tx: Tx, now: float) -> None:
    tx.run("outbox.mend_index")
    tx.every("outbox.mend", now=now)


def run_or_mend(tx: Tx, mend: Callable[[], None], name: str, **params: Any) -> int:
    """How many rows a statement has changed that walks over an index; that may be torn."""
    try:
        tx.run(name, **params)
    except apsw.CorruptError:
        mend()
        tx.run(name, **params)
    return tx.changes
