"""Publishing: from one message to one delivery for each subscriber who wants it, in the caller's transaction.

What a worker publishes on behalf of an asynchronous event is staged under its attempt (event, fence, ordinal), in
memory (`staging.py`), and leaves in the transaction that records the deciding attempt; what other attempts staged is
dropped there. So a retry never notifies twice, whatever the message says. An `immediate` publish of an event leaves at
once, under a key made of event, topic, ordinal and content: the same publish of a retry is the same message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from alight.calls import Attempt
from alight.clock import Clock
from alight.names import new_request_id
from alight.notifications.definitions import Definitions
from alight.notifications.filters import ATTRIBUTES_SCOPE, wants
from alight.notifications.measuring import Measure, unmeasured
from alight.notifications.message import (
    Kind,
    Message,
    Protocol,
    Subscription,
)
from alight.notifications.staging import Staged, Staging
from alight.store import journal
from alight.store.database import Tx
from alight.store.outbox import Delivery, DeliveryState, OutboxStore, Standing, StoredMessage
from alight.store.records import Records

#: The topic of a text that goes straight to a phone number, and the subscription of its delivery.
DIRECT = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a new delivery stands: ready, held for a reason, or with a sender, who begins once it is durable."""

    state: DeliveryState = DeliveryState.READY
    reason: str = ""
    begin: Callable[[Delivery, StoredMessage], None] | None = None


READY = Placed()


class Topics:
    """Methods with `tx` run inside a write job; `wake` is called on the event loop once deliveries are durable.

    `ahead` is told, on the event loop, of what is held for an attempt and may leave soon. `place` says where a new
    delivery stands. One that has a sender at once is leased to him in the transaction that
    makes it, so that no other one has to be flushed before it leaves.
    """

    def __init__(
        self,
        store: OutboxStore,
        records: Records,
        clock: Clock,
        wake: Callable[[], None],
        place: Callable[[Tx, Protocol, str], Placed] = lambda tx, protocol, target: READY,
        measure: Measure = unmeasured,
        ahead: Callable[[StoredMessage], None] = lambda message: None,
    ) -> None:
        self._store = store
        self._definitions = Definitions(records)
        self._clock = clock
        self._wake = wake
        self._place = place
        self._measure = measure
        self._ahead = ahead
        self._staging = Staging()

    def begin(self, event_id: str, fence: int) -> None:
        """On the event loop: an attempt begins; what it stages is held for it."""
        self._staging.open(event_id, fence)

    def end(self, event_id: str, fence: int) -> None:
        """On the event loop: an attempt has ended, decided or not; what is still held for it is gone."""
        self._staging.close(event_id, fence)

    def stage(self, messages: Sequence[Message], attempt: Attempt | None) -> list[str] | None:
        """On the event loop: hold what one call publishes for its attempt, and return the MessageIds; None where all of
        it has to be taken on by `publish`, in one job, so that who asks again asks for all of it."""
        if attempt is None or attempt.event_id is None or not attempt.staged:
            return None
        now, first = self._clock.now(), self._staging.count(attempt.event_id, attempt.fence)
        stored = [
            _stored(message, now, attempt, ordinal, state="staged")
            for ordinal, message in enumerate(messages, start=first)
        ]
        if not self._staging.add(stored):
            return None
        for message in stored:
            self._ahead(message)
        return [message.id for message in stored]

    def publish(self, tx: Tx, message: Message, attempt: Attempt | None = None, cause: str = "") -> str:
        """Take a message on and return its MessageId. Staged where the attempt says so, else delivered from here on.
        `cause` is that of what nobody's attempt publishes (see `journal.chain`)."""
        if attempt is None or attempt.event_id is None:
            # Kept whole: the event that caused it may be forgotten before it is delivered.
            chain = attempt.chain if attempt else json.dumps(journal.chain(tx, cause)) if cause else ""
            return self._accept_new(tx, _stored(message, self._clock.now(), chain=chain))
        ordinal = self._store.next_ordinal(tx, attempt.event_id, attempt.fence)
        if attempt.staged:
            ordinal += self._staging.count(attempt.event_id, attempt.fence)
            return self._stage(tx, message, attempt, ordinal)
        return self._publish_keyed(tx, message, attempt, ordinal)

    def release(self, tx: Tx, event_id: str, fence: int) -> int:
        """The attempt under `fence` decides: its messages leave, those of all other attempts are dropped."""
        now, staged = self._clock.now(), self._held(tx, event_id, fence)
        for message in staged.messages:
            self._accept_new(tx, message, leaves=now)
        if staged.alone:
            return len(staged.messages)
        released = self._store.staged(tx, event_id, fence)
        for message in released:
            self._store.accept(tx, message.id, now)
            self._fan_out(tx, message)
        self._store.discard(tx, event_id)
        return len(staged.messages) + len(released)

    def discard(self, tx: Tx, event_id: str, fence: int | None = None) -> int:
        """The attempt under `fence` (or every one, none of which runs) does not decide: what it staged is dropped, and
        kept for the story."""
        held = 0
        if fence is not None:
            messages = self._held(tx, event_id, fence).messages
            for message in messages:
                self._store.add_message(tx, replace(message, state="discarded"))
            held = len(messages)
        return held + self._store.discard(tx, event_id, fence)

    def _held(self, tx: Tx, event_id: str, fence: int) -> Staged:
        """What an ending attempt has staged in memory; open again with all of that where its end is taken back."""
        staged = self._staging.close(event_id, fence)
        tx.after_rollback(lambda: self._staging.reopen(event_id, fence, staged))
        return staged

    def ask(self, tx: Tx, kind: Kind, subscription: Subscription, token: str, text: str) -> str:
        """Send a subscriber the message that asks to confirm, or says that the subscription ended."""
        message = _stored(Message(subscription.topic, text), self._clock.now(), kind=kind, token=token)
        self._store.add_message(tx, message)
        self._deliver(tx, message, subscription, raw=False)
        return message.id

    def _stage(self, tx: Tx, message: Message, attempt: Attempt, ordinal: int) -> str:
        """Wait for the deciding attempt; a publish that comes late shares the fate of its attempt."""
        match self._store.standing(tx, attempt.event_id or "", attempt.fence):
            case Standing.DECIDED:
                return self._accept_new(tx, _stored(message, self._clock.now(), attempt, ordinal))
            case Standing.GIVEN_UP:
                state = "discarded"
            case _:
                state = "staged"
                self._staging.in_rows(attempt.event_id or "", attempt.fence)
        stored = _stored(message, self._clock.now(), attempt, ordinal, state=state)
        self._store.add_message(tx, stored)
        return stored.id

    def _publish_keyed(self, tx: Tx, message: Message, attempt: Attempt, ordinal: int) -> str:
        """The n-th publish of the same content by one attempt is the n-th one of any other attempt of the event."""
        content = _content_hash(message)
        for nth in range(ordinal + 1):
            key = f"{attempt.event_id}:{content}:{nth}"
            found = self._store.find_keyed(tx, key)
            if found is None:
                stored = _stored(message, self._clock.now(), attempt, ordinal, key=key)
                return self._accept_new(tx, stored)
            message_id, fence = found
            if fence != attempt.fence:
                # What comes late from an attempt that was given up must not take it from the one that now has it.
                if fence < attempt.fence:
                    self._store.adopt(tx, message_id, attempt.fence, ordinal)
                return message_id
        raise AssertionError("an attempt cannot have more keys than publishes")

    def _accept_new(self, tx: Tx, message: StoredMessage, leaves: float | None = None) -> str:
        self._store.add_message(tx, message, leaves)
        self._fan_out(tx, message)
        return message.id

    def _fan_out(self, tx: Tx, message: StoredMessage) -> None:
        unwanted = 0
        tx.after_commit(lambda: self._published(message, unwanted))
        if message.topic == DIRECT:
            self._add(tx, message, DIRECT, Protocol.SMS, message.target, raw=False)
            return
        for subscription in self._definitions.subscribers(tx, message.topic):
            if _wanted(subscription, message):
                self._deliver(tx, message, subscription, raw=subscription.raw)
            else:
                unwanted += 1

    def _published(self, message: StoredMessage, unwanted: int) -> None:
        self._measure(message.topic, "NumberOfMessagesPublished", 1.0, 1)
        self._measure(message.topic, "PublishSize", len(message.body.encode()), 1)
        if unwanted:
            self._measure(message.topic, "NumberOfNotificationsFilteredOut", 1.0, unwanted)

    def _deliver(self, tx: Tx, message: StoredMessage, subscription: Subscription, *, raw: bool) -> None:
        self._add(tx, message, subscription.arn, subscription.protocol, subscription.endpoint, raw=raw)

    def _add(
        self, tx: Tx, message: StoredMessage, subscription: str, protocol: Protocol, target: str, *, raw: bool
    ) -> None:
        placed = self._place(tx, protocol, target)
        delivery = self._store.add_delivery(
            tx,
            message.id,
            subscription=subscription,
            protocol=protocol.value,
            target=target,
            raw=raw,
            now=self._clock.now(),
            state=placed.state,
            reason=placed.reason,
        )
        if placed.begin is not None:
            tx.after_commit(partial(placed.begin, delivery, message))
        elif placed.state is DeliveryState.READY:
            tx.after_commit(self._wake)


def _wanted(subscription: Subscription, message: StoredMessage) -> bool:
    policy = subscription.settings.get("FilterPolicy")
    if not policy:
        return True
    scope = subscription.settings.get("FilterPolicyScope", ATTRIBUTES_SCOPE)
    return wants(json.loads(policy), scope, message.body, message.attributes)


def _stored(
    message: Message,
    now: float,
    attempt: Attempt | None = None,
    ordinal: int = 0,
    *,
    key: str | None = None,
    state: str = "accepted",
    kind: Kind = Kind.NOTIFICATION,
    token: str = "",
    chain: str = "",
) -> StoredMessage:
    return StoredMessage(
        id=new_request_id(),
        kind=kind.value,
        topic=message.topic,
        target=message.phone,
        subject=message.subject,
        body=message.body,
        structure=message.structure,
        attributes={name: dict(value) for name, value in message.attributes.items()},
        token=token,
        event_id=attempt.event_id if attempt else None,
        fence=attempt.fence if attempt else 0,
        ordinal=ordinal,
        key=key,
        state=state,
        published=now,
        accepted=now if state == "accepted" else None,
        chain=chain,
    )


def _content_hash(message: Message) -> str:
    parts = [message.topic, message.phone, message.subject, message.structure, message.body]
    attributes = {name: dict(value) for name, value in message.attributes.items()}
    return hashlib.sha256(json.dumps([*parts, attributes], sort_keys=True).encode()).hexdigest()
