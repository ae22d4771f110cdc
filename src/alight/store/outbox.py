"""What is to be told to whom: messages of topics, and one delivery row for each target.

A message is staged under the attempt that published it, or accepted at once. An accepted message has its
deliveries in the same transaction. Every step of a delivery is a compare-and-set on state and fence: a sender that
was given up changes nothing, and what a crash interrupted in the middle of sending is `uncertain`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any

from alight.names import without_password
from alight.store.database import Database
from alight.store.mending import mend_deliveries, run_or_mend
from alight.store.rows import Reader, Row, Tx

PAGE = 1_000


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    READY = "ready"  # waits for a sender or for its next attempt
    SENDING = "sending"  # with a sender: a crash now makes it uncertain
    SENT = "sent"  # the target has it
    HELD = "held"  # nothing here can carry it yet; the reason says what to configure
    DEAD = "dead"  # given up, kept with its reason until somebody redrives it


class Standing(StrEnum):
    """Where the attempt stands that publishes."""

    OPEN = "open"  # it runs; what it publishes is staged
    DECIDED = "decided"  # it decided the event while the publish was on its way
    GIVEN_UP = "given up"  # another attempt decides, or will


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message. `attributes` are in the envelope's form: name -> {"Type", "Value"} (binary values in base64).

    `target` is the phone number of a text without a topic, or the subscription that a confirmation is about. `chain`
    says how often each function was called in the chain up to it (JSON), where no event of ours has published it.
    """

    id: str
    kind: str
    topic: str
    target: str
    subject: str | None
    body: str
    structure: str
    attributes: dict[str, dict[str, str]]
    token: str
    event_id: str | None
    fence: int
    ordinal: int
    key: str | None
    state: str
    published: float
    accepted: float | None
    chain: str = ""

    @property
    def cause(self) -> str:
        """Of what it brings about: an event's id, or the chain itself."""
        return self.event_id or self.chain


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one target. `attempts` counts those that began, the present one included."""

    id: int
    message_id: str
    subscription: str
    protocol: str
    target: str
    raw: bool
    state: DeliveryState
    attempts: int
    not_before: float
    fence: int
    uncertain: bool
    reason: str
    last_error: str
    created: float
    started: float | None
    finished: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """What left on behalf of one event, in brief: texts, and `protocol target: state` of each delivery."""

    messages: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()


def text_of(body: str, structure: str, protocol: str) -> str:
    """A message's text as one protocol's subscribers get it (`MessageStructure: json` has one text for each)."""
    if structure != "json":
        return body
    texts = json.loads(body)
    chosen = texts.get(protocol)
    return chosen if isinstance(chosen, str) else str(texts["default"])


class OutboxStore:
    """The rows of messages and deliveries. Methods with `tx` run inside a write job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_message(self, tx: Tx, message: StoredMessage, leaves: float | None = None) -> None:
        """A new row. What was staged without one, and now leaves after all, is accepted at that moment (`leaves`)."""
        values: dict[str, Any] = dict(zip(_MESSAGE_FIELDS, _message_values(message), strict=True))
        values["attributes"] = json.dumps(message.attributes) if message.attributes else "{}"
        if leaves is not None:
            values |= {"state": "accepted", "accepted": leaves}
        tx.run("outbox.add_message", **values)

    def next_ordinal(self, tx: Tx, event_id: str, fence: int) -> int:
        """How many messages this attempt has published so far."""
        row = tx.one("outbox.published", event_id=event_id, fence=fence)
        return int(row["published"]) if row else 0

    def standing(self, tx: Tx, event_id: str, fence: int) -> Standing:
        """Where an attempt of an event stands: its publishes wait, leave at once, or come to nothing."""
        row = tx.one("outbox.event", event_id=event_id)
        if row is None or (row["state"] == "running" and row["fence"] == fence):
            return Standing.OPEN
        decided = row["state"] in ("succeeded", "dead") and row["fence"] == fence
        return Standing.DECIDED if decided else Standing.GIVEN_UP

    def find_keyed(self, tx: Tx, key: str) -> tuple[str, int] | None:
        """The id and fence of the message that was published under an idempotency key."""
        row = tx.one("outbox.keyed", key=key)
        return (row["id"], row["fence"]) if row else None

    def adopt(self, tx: Tx, message_id: str, fence: int, ordinal: int) -> None:
        tx.run("outbox.adopt", id=message_id, fence=fence, ordinal=ordinal)

    def staged(self, tx: Tx, event_id: str, fence: int) -> list[StoredMessage]:
        return [_message(row) for row in tx.all("outbox.staged", event_id=event_id, fence=fence)]

    def accept(self, tx: Tx, message_id: str, now: float) -> None:
        tx.run("outbox.accept", id=message_id, now=now)

    def discard(self, tx: Tx, event_id: str, fence: int | None = None) -> int:
        """Drop what is staged for an event, by one attempt or by all. Returns how many messages."""
        if fence is None:
            tx.run("outbox.discard_event", event_id=event_id)
        else:
            tx.run("outbox.discard", event_id=event_id, fence=fence)
        return tx.changes

    def add_delivery(
        self,
        tx: Tx,
        message_id: str,
        *,
        subscription: str,
        protocol: str,
        target: str,
        raw: bool,
        now: float,
        state: DeliveryState = DeliveryState.READY,
        reason: str = "",
    ) -> Delivery:
        """A delivery of a message: ready, held for a reason, or leased from the start (`sending`) to whoever sends it
        as soon as it is on the disk."""
        leases = int(state is DeliveryState.SENDING)
        started = now if leases else None
        tx.run(
            "outbox.add_delivery",
            message_id=message_id,
            subscription=subscription,
            protocol=protocol,
            target=target,
            raw=int(raw),
            now=now,
            state=state.value,
            reason=reason,
            leases=leases,
            started=started,
        )
        return Delivery(
            id=tx.last_row,
            message_id=message_id,
            subscription=subscription,
            protocol=protocol,
            target=target,
            raw=raw,
            state=state,
            attempts=leases,
            not_before=now,
            fence=leases,
            uncertain=False,
            reason=reason,
            last_error="",
            created=now,
            started=started,
            finished=None,
        )

    def due(self, now: float, blocked: Sequence[str], busy: Sequence[int], limit: int) -> list[Delivery]:
        """Up to `limit` that may start, but for those in `busy` (ids) and those to `blocked` targets."""
        given = {"blocked": json.dumps(list(blocked)), "busy": json.dumps(list(busy))}
        rows = self._database.read().all("outbox.due", now=now, limit=limit, **given)
        return [_delivery(row) for row in rows]

    def next_due(self, now: float) -> float | None:
        row = self._database.read().one("outbox.next_due", now=now)
        return float(row["not_before"]) if row else None

    def lease(self, tx: Tx, delivery_id: int, now: float) -> bool:
        """Take a delivery for sending: `attempts` and `fence` go up by one. False where somebody else was faster."""
        tx.run("outbox.lease", id=delivery_id, now=now)
        if tx.changes:
            return True
        if tx.one("outbox.stuck", id=delivery_id, now=now):
            mend_deliveries(tx, now)
        return False

    def sent(self, tx: Tx, delivery: Delivery, now: float) -> bool:
        tx.run("outbox.sent", id=delivery.id, fence=delivery.fence, now=now)
        return tx.changes == 1

    def retry(self, tx: Tx, delivery: Delivery, not_before: float, error: str, uncertain: bool) -> None:
        tx.run(
            "outbox.retry",
            id=delivery.id,
            fence=delivery.fence,
            not_before=not_before,
            error=error,
            uncertain=int(uncertain),
        )

    def bury(self, tx: Tx, delivery: Delivery, now: float, reason: str, error: str, uncertain: bool) -> bool:
        tx.run(
            "outbox.bury",
            id=delivery.id,
            fence=delivery.fence,
            now=now,
            reason=reason,
            error=error,
            uncertain=int(uncertain),
        )
        return tx.changes == 1

    def hold(self, tx: Tx, protocol: str, reason: str) -> None:
        tx.run("outbox.hold", protocol=protocol, reason=reason)

    def unhold(self, tx: Tx, protocol: str, now: float) -> int:
        tx.run("outbox.unhold", protocol=protocol, now=now)
        return tx.changes

    def recover(self, tx: Tx, now: float, latest: float) -> int:
        """At start: what was being sent becomes ready and uncertain. Returns how many deliveries that were."""
        if tx.one("outbox.unknown"):
            mend_deliveries(tx, now)
        count = run_or_mend(tx, lambda: mend_deliveries(tx, now), "outbox.recover", now=now)
        tx.run("outbox.clamp", latest=latest)
        return count

    def redrive(self, tx: Tx, ids: Sequence[int], now: float) -> int:
        """Put dead deliveries back. Returns how many were dead."""
        count = 0
        for delivery_id in ids:
            tx.run("outbox.redrive", id=delivery_id, now=now)
            count += tx.changes
        return count

    def prune(self, tx: Tx, before: float, limit: int = PAGE) -> int:
        """Forget what was sent, and messages without deliveries, older than `before`; at most `limit` of each."""
        tx.run("outbox.prune_deliveries", before=before, limit=limit)
        count = tx.changes
        tx.run("outbox.prune_messages", before=before, limit=limit)
        return count + tx.changes

    def message(self, message_id: str) -> StoredMessage | None:
        """Raises `Damaged` where the row does not match its checksum."""
        row = self._database.read().one("outbox.message", id=message_id)
        return _message(row) if row else None

    def delivery(self, delivery_id: int) -> Delivery | None:
        row = self._database.read().one("outbox.delivery", id=delivery_id)
        return _delivery(row) if row else None

    def messages_of_event(self, event_id: str) -> list[StoredMessage]:
        return [_message(row) for row in self._database.read().all("outbox.messages_of_event", event_id=event_id)]

    def messages_of_topic(self, topic: str, before: tuple[float, str] | None, limit: int) -> list[Row]:
        """Rows for people, newest first: what was published before `before` (its moment and id), with `deliveries`, how
        many of them stand in which state. Of texts for each protocol, the one for all others."""
        published, id = before or (float("inf"), "")
        rows = self._database.read().all(
            "outbox.messages_of_topic", topic=topic, published=published, id=id, limit=limit
        )
        return [_shown(row) | {"deliveries": json.loads(row["deliveries"])} for row in rows]

    def told(self, event_ids: Sequence[str], reader: Reader | None = None) -> dict[str, Told]:
        """What left on behalf of each of these events; those that told nobody anything are not among them."""
        bodies: dict[str, dict[str, str]] = {}
        targets: dict[str, list[str]] = {}
        reader = reader or self._database.read()
        for row in reader.all("outbox.told_of_events", ids=json.dumps(list(event_ids))):
            bodies.setdefault(row["event_id"], {}).setdefault(row["id"], _shown(row)["body"])
            if row["state"]:
                targets.setdefault(row["event_id"], []).append(f"{row['protocol']} {row['target']}: {row['state']}")
        return {id: Told(tuple(texts.values()), tuple(targets.get(id, ()))) for id, texts in bodies.items()}

    def deliveries_of(self, message_id: str) -> list[Delivery]:
        rows = self._database.read().all("outbox.deliveries_of_message", message_id=message_id)
        return [_delivery(row) for row in rows]

    def deliveries(self, state: str = "", before: int | None = None, limit: int = 100) -> list[Row]:
        """Deliveries as rows for people, newest first, each with its message's topic, kind, subject, event_id, and its
        body as this protocol gets it.

        A page has PAGE of them at most, and one more, by which it is known whether there are others."""
        bound = before if before is not None else 1 << 62
        rows = self._database.read().all("outbox.deliveries", state=state, before=bound, limit=min(limit, PAGE + 1))
        shown = [{name: value for name, value in _shown(row).items() if name != "crc"} for row in rows]
        return [row | {"target": without_password(row["target"])} for row in shown]

    def counts(self, reader: Reader | None = None) -> dict[str, int]:
        """How many deliveries are in each state, and `uncertain` over all: a look at every row."""
        rows = (reader or self._database.read()).all("outbox.counts")
        counts: dict[str, int] = {state.value: 0 for state in DeliveryState}
        counts |= {row["state"]: row["count"] for row in rows}
        return counts | {"uncertain": sum(row["uncertain"] for row in rows)}


_MESSAGE_FIELDS = tuple(item.name for item in fields(StoredMessage))
_DELIVERY_FIELDS = tuple(item.name for item in fields(Delivery))
_message_values = attrgetter(*_MESSAGE_FIELDS)


def _shown(row: Row) -> Row:
    """A row for people: its body as text."""
    protocol = str(row.get("protocol") or "")
    shown = {name: value for name, value in row.items() if name != "structure"}
    # One row that the disk has damaged is shown as it is, and takes nothing from the others.
    with suppress(ValueError, KeyError, AttributeError):
        shown["body"] = text_of(row["body"], row["structure"], protocol)
    return shown


def _message(row: Row) -> StoredMessage:
    values: dict[str, Any] = {name: row[name] for name in _MESSAGE_FIELDS}
    return StoredMessage(**values | {"attributes": json.loads(row["attributes"])})


def _delivery(row: Row) -> Delivery:
    values: dict[str, Any] = {name: row[name] for name in _DELIVERY_FIELDS}
    known = {
        "raw": bool(row["raw"]),
        "uncertain": bool(row["uncertain"]),
        "state": DeliveryState(row["state"]),
    }
    return Delivery(**values | known)
