"""A state that a flipped bit has made of another, in a row or in the index by which it is found.

The rows of events and deliveries are under a checksum, but for what their way changes. There a bit is a try too early
or too late, or a dead letter that somebody sees; but a word that is no state would be found by its index and never
moved, so tried for ever, or never be found. Where an index and its row say different things, the index is made anew,
and what is in no state is a dead letter, `Damaged`.

A bit may also make a text that is no UTF-8. SQLite does not care, but no such row can be read, nor any other of the
same answer. It is written anew with those bytes as `\\xff`: its checksum stays wrong, people can read what is left, and
an event of which it is a part that counts is a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from alight.store.rows import Tx

#: Each reports the rows that it has changed.
_TEXTS = (
    "journal.mend_texts",
    "journal.mend_attempts",
    "outbox.mend_texts",
    "outbox.mend_messages",
    "queues.mend_texts",
)


def mend_events(tx: Tx, now: float) -> None:
    tx.run("journal.mend_index")
    for row, _ in tx.every("journal.mend", now=now):
        # Staged by an attempt that can no longer decide.
        tx.run("outbox.discard_event", event_id=row["id"])


def mend_deliveries(tx: Tx, now: float) -> None:
    tx.run("outbox.mend_index")
    tx.every("outbox.mend", now=now)


def mend_texts(tx: Tx, now: float) -> None:
    """Make all rows of what waits, and of what became of it, readable: a look at every one."""
    for name in ("journal.mend_index", "outbox.mend_index", "outbox.mend_message_index", "queues.mend_index"):
        tx.run(name)
    for name in _TEXTS:
        tx.every(name)
    mend_events(tx, now)
    mend_deliveries(tx, now)
    for row, _ in tx.every("journal.bury_torn", now=now):
        tx.run("outbox.discard_event", event_id=row["id"])


def run_or_mend(tx: Tx, mend: Callable[[], None], name: str, **params: Any) -> int:
    """How many rows a statement has changed that walks over an index; that may be torn."""
    try:
        tx.run(name, **params)
    except apsw.CorruptError:
        mend()
        tx.run(name, **params)
    return tx.changes
