"""The messages of queues: visible, hidden for a while from everybody but one receiver, deleted.

A receipt handle names a row and one of its receipts: after the message was handed to somebody else, an older handle
changes nothing. Methods with `tx` run inside a write job.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alight.store.database import Database
from alight.store.rows import Row, Tx


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """One message as its receiver gets it. `attributes`: name -> {"DataType", "StringValue" | "BinaryValue" (base64)}.

    Times are in seconds since 1970; `receives` counts this receive too; `source` is the queue that gave up on it;
    `chain` says how often each function was called in the chain that led here (JSON), where a function has sent it.
    """

    seq: int
    id: str
    queue: str
    body: str
    attributes: dict[str, dict[str, str]]
    sender: str
    sent: float
    visible_at: float
    receives: int
    first_received: float | None
    receipt: str
    source: str
    chain: str = ""

    @property
    def handle(self) -> str:
        return f"{self.seq:x}-{self.receipt}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages of a queue can be received, are delayed, are with a receiver."""

    visible: int
    delayed: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """After so many receives a message goes to the queue `target` (name)."""

    target: str
    most_receives: int


#: (queue, metric, value, how often)
Measure = Callable[[str, str, float, int], None]


def unmeasured(queue: str, name: str, value: float, times: int) -> None:
    """Where nobody counts."""


class QueueStore:
    """All queues' messages, by the queue's name."""

    def __init__(self, database: Database, measure: Measure = unmeasured) -> None:
        """`measure` is told on the event loop what was sent, received and deleted, once it is durable."""
        self._database = database
        self._measure = measure
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def send(
        self,
        tx: Tx,
        queue: str,
        message_id: str,
        body: str,
        attributes: Mapping[str, Mapping[str, str]],
        *,
        sender: str,
        sent: float,
        delay: float = 0.0,
        chain: str = "",
    ) -> None:
        tx.run(
            "queues.send",
            id=message_id,
            queue=queue,
            body=body,
            attributes=json.dumps(attributes),
            sender=sender,
            sent=sent,
            visible_at=sent + delay,
            chain=chain,
        )
        tx.after_commit(lambda: self._sent(queue, len(body.encode())))

    def _sent(self, queue: str, size: int) -> None:
        self.wake(queue)
        self._measure(queue, "NumberOfMessagesSent", 1.0, 1)
        self._measure(queue, "SentMessageSize", size, 1)

    def receive(
        self, tx: Tx, queue: str, *, now: float, visibility: float, oldest: float, limit: int, redrive: Redrive | None
    ) -> list[QueuedMessage]:
        """Up to `limit` messages, hidden for `visibility` seconds; those received too often are moved away."""
        taken: list[QueuedMessage] = []
        while len(taken) < limit:
            rows = tx.all("queues.visible", queue=queue, now=now, oldest=oldest, limit=limit - len(taken))
            for row in rows:
                if redrive is not None and row["receives"] >= redrive.most_receives:
                    self._move(tx, row, redrive.target, now)
                else:
                    taken.append(self._take(tx, row, now, visibility))
            # With no time of hiding, what was taken is visible again: it must not be taken twice by one receive.
            if len(rows) < limit or visibility <= 0:
                break
        if taken:
            tx.after_commit(lambda: self._measure(queue, "NumberOfMessagesReceived", 1.0, len(taken)))
        return taken

    def _take(self, tx: Tx, row: Row, now: float, visibility: float) -> QueuedMessage:
        taken = {"receipt": secrets.token_hex(16), "visible_at": now + visibility}
        tx.run("queues.take", seq=row["seq"], now=now, **taken)
        if row["first_received"] is None:
            taken["first_received"] = now
        return _message(row | taken | {"receives": row["receives"] + 1})

    def _move(self, tx: Tx, row: Row, target: str, now: float) -> None:
        tx.run("queues.move", seq=row["seq"], target=target, queue=row["queue"], now=now)
        tx.after_commit(lambda: self.wake(target))

    def last(self, tx: Tx, queue: str) -> int:
        """The number of the queue's youngest message; 0 where it is empty."""
        row = tx.one("queues.last", queue=queue)
        return int(row["seq"]) if row else 0

    def movable(self, tx: Tx, queue: str, *, now: float, oldest: float, last: int, limit: int) -> list[QueuedMessage]:
        """Up to `limit` messages that nobody has in hand, none younger than `last`."""
        rows = tx.all("queues.movable", queue=queue, now=now, oldest=oldest, last=last, limit=limit)
        return [_message(row) for row in rows]

    def resend(self, tx: Tx, message: QueuedMessage, target: str, message_id: str, now: float) -> None:
        """Put a message into another queue as a new one."""
        tx.run("queues.remove", seq=message.seq)
        self.send(tx, target, message_id, message.body, message.attributes, sender=message.sender, sent=now)

    def held(self, tx: Tx, queue: str, seq: int) -> tuple[float, str] | None:
        """(visible_at, receipt) of a message that is still there."""
        row = tx.one("queues.held", queue=queue, seq=seq)
        return (row["visible_at"], row["receipt"]) if row else None

    def delete(self, tx: Tx, queue: str, seq: int, receipt: str) -> bool:
        tx.run("queues.delete", queue=queue, seq=seq, receipt=receipt)
        is_gone = tx.changes == 1
        if is_gone:
            tx.after_commit(lambda: self._measure(queue, "NumberOfMessagesDeleted", 1.0, 1))
        return is_gone

    def hide(self, tx: Tx, queue: str, seq: int, receipt: str, until: float) -> bool:
        tx.run("queues.hide", queue=queue, seq=seq, receipt=receipt, visible_at=until)
        tx.after_commit(lambda: self.wake(queue))
        return tx.changes == 1

    def give_back(self, tx: Tx, message: QueuedMessage, now: float) -> None:
        """Undo a receive: the message is there at once, and the receive does not count."""
        tx.run("queues.give_back", queue=message.queue, seq=message.seq, receipt=message.receipt, now=now)
        tx.after_commit(lambda: self.wake(message.queue))

    def purge(self, tx: Tx, queue: str) -> int:
        tx.run("queues.purge", queue=queue)
        return tx.changes

    def expire(self, tx: Tx, queue: str, oldest: float) -> int:
        """Forget what was sent before `oldest`."""
        tx.run("queues.expire", queue=queue, oldest=oldest)
        return tx.changes

    def any_visible(self, queue: str, now: float, oldest: float) -> bool:
        return self._database.read().one("queues.any_visible", queue=queue, now=now, oldest=oldest) is not None

    def count_visible(self, queue: str, now: float, oldest: float, limit: int) -> int:
        """How many can be received, counted up to `limit`."""
        row = self._database.read().one("queues.count_visible", queue=queue, now=now, oldest=oldest, limit=limit)
        return int(row["visible"]) if row else 0

    def next_visible(self, queue: str, now: float) -> float | None:
        row = self._database.read().one("queues.next_visible", queue=queue, now=now)
        return float(row["visible_at"]) if row else None

    def counts(self, queue: str, now: float, oldest: float) -> Counts:
        row = self._database.read().one("queues.counts", queue=queue, now=now, oldest=oldest)
        return Counts(row["visible"], row["delayed"], row["in_flight"]) if row else Counts(0, 0, 0)

    def listen(self, queue: str) -> asyncio.Event:
        """An event that is set when something may have become visible; give it back by `leave`."""
        event = asyncio.Event()
        self._waiting.setdefault(queue, set()).add(event)
        return event

    def leave(self, queue: str, event: asyncio.Event) -> None:
        waiting = self._waiting.get(queue, set())
        waiting.discard(event)
        if not waiting:
            self._waiting.pop(queue, None)

    def wake(self, queue: str) -> None:
        for event in self._waiting.get(queue, ()):
            event.set()


def read_handle(handle: str) -> tuple[int, str]:
    """(seq, receipt) of a receipt handle. Raises `ValueError` for what is none."""
    seq, dash, receipt = handle.partition("-")
    if not dash or len(receipt) != 32 or not seq.isascii() or not receipt.isascii():
        raise ValueError("not a receipt handle")
    bytes.fromhex(receipt)
    return int(seq, 16), receipt


def _message(row: Row) -> QueuedMessage:
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "crc"}
    return QueuedMessage(**values | {"attributes": json.loads(row["attributes"])})
