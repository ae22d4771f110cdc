"""One attempt at one delivery, and its record: sent, tried again later, or dead with its reason.

What goes to something in this house (a queue, a function) happens in the transaction that records it, so exactly once;
what leaves is recorded after the target has answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alight.clock import Clock
from alight.errors import Fault
from alight.errors.store import Damaged
from alight.notifications.deadletters import DeadLetters
from alight.notifications.definitions import Definitions
from alight.notifications.lanes import Ending
from alight.notifications.measuring import Measure
from alight.notifications.message import Kind, Protocol, SubscriptionState
from alight.notifications.outgoing import Channel, LocalChannel, Outgoing
from alight.notifications.policy import Failed, GiveUp, decide, most_per_second, phases_of
from alight.store.database import Database, Tx
from alight.store.outbox import Delivery, OutboxStore, StoredMessage

log = logging.getLogger(__name__)

_WEB = frozenset({Protocol.HTTP, Protocol.HTTPS})

#: Characters of an error that are kept.
MOST_ERROR = 1_000


@dataclass(frozen=True, slots=True)
class Sender:
    """Carries deliveries out. `hold_back(target, monotonic time)` is told of throttled targets."""

    _database: Database
    _store: OutboxStore
    _definitions: Definitions
    _clock: Clock
    _channels: Mapping[Protocol, Channel]
    _local: Mapping[Protocol, LocalChannel]
    _dead_letters: DeadLetters
    _hold_back: Callable[[str, float], None]
    _chance: Callable[[], float]
    _measure: Measure

    def inside(self, delivery: Delivery) -> bool:
        """Whether it stays in the house: then its row says `ready` until it is done."""
        return self.stays(Protocol(delivery.protocol))

    def stays(self, protocol: Protocol) -> bool:
        """Whether this protocol's targets are in the house."""
        return protocol in self._local

    async def attempt(self, delivery: Delivery, message: StoredMessage | None = None) -> Ending:
        """One attempt and its record. `message` is what it carries, where that need not be read."""
        outgoing: Outgoing | None = None
        try:
            outgoing = self._gather(delivery, message)
            self._throttle(outgoing)
            await self._hand_over(outgoing)
        except Failed as failure:
            await self._record_failure(delivery, outgoing, failure)
            if outgoing is None:
                return Ending.OURS
            return Ending.REFUSED if failure.permanent else Ending.FAILED
        except Damaged as damage:
            await self._record_failure(delivery, outgoing, Failed(damage.message, permanent=True))
            return Ending.OURS
        except Exception as error:
            log.exception("delivery %d failed for a reason of our own", delivery.id)
            await self._record_failure(delivery, outgoing, Failed(f"{type(error).__name__}: {error}", uncertain=True))
            return Ending.OURS
        self._count(outgoing, "NumberOfNotificationsDelivered")
        return Ending.SENT

    def _count(self, outgoing: Outgoing, name: str) -> None:
        if outgoing.message.kind == Kind.NOTIFICATION:
            self._measure(outgoing.message.topic, name, 1.0, 1)

    async def _hand_over(self, outgoing: Outgoing) -> None:
        """Through the channel, then record it; or both at once for what stays in the house."""
        delivery, protocol = outgoing.delivery, outgoing.protocol
        local = self._local.get(protocol)
        if local is None:
            await self._channels[protocol].send(outgoing)
            # Nobody waits for this: a crash in between finds it being sent, as one in the moment before would have.
            await self._database.insist(lambda tx: self._store.sent(tx, delivery, self._clock.now()), patient=True)
            return
        prepared = local.prepare(outgoing)

        def job(tx: Tx) -> None:
            now = self._clock.now()
            if self._store.lease(tx, delivery.id, now) and self._store.sent(tx, delivery, now):
                local.deliver(tx, outgoing, prepared)

        try:
            await self._database.insist(job)
        except Fault as fault:
            raise Failed(f"{fault.code}: {fault.message}", permanent=fault.by_sender) from fault

    def _gather(self, delivery: Delivery, message: StoredMessage | None) -> Outgoing:
        """What the delivery is about. Raises `Failed` where its subscription is gone."""
        message = message or self._store.message(delivery.message_id)
        if message is None:
            raise Failed("the message is gone", permanent=True)
        if not delivery.subscription:
            return Outgoing(delivery, message, None, None)
        subscriber = self._definitions.subscription(delivery.subscription)
        if subscriber is None:
            raise Failed("the subscription was removed", permanent=True)
        if subscriber.state is SubscriptionState.DELETED and message.kind == Kind.NOTIFICATION:
            raise Failed("the subscriber unsubscribed", permanent=True)
        return Outgoing(delivery, message, self._definitions.topic(message.topic), subscriber)

    def _throttle(self, outgoing: Outgoing) -> None:
        policies = outgoing.topic_policy, outgoing.subscription_policy
        if any(policies) and outgoing.delivery.protocol in _WEB and (rate := most_per_second(*policies)) > 0:
            self._hold_back(outgoing.delivery.target, self._clock.monotonic() + 1 / rate)

    async def _record_failure(self, delivery: Delivery, outgoing: Outgoing | None, failure: Failed) -> None:
        phases = phases_of(
            Protocol(delivery.protocol),
            outgoing.topic_policy if outgoing else "",
            outgoing.subscription_policy if outgoing else "",
        )
        decision = decide(phases, delivery.attempts, failure, self._chance())
        now, inside = self._clock.now(), self.inside(delivery)
        error = str(failure)[:MOST_ERROR]
        letter = await self._dead_letters.prepare(outgoing) if isinstance(decision, GiveUp) and outgoing else None

        def job(tx: Tx) -> None:
            if inside and not self._store.lease(tx, delivery.id, now):
                return
            if isinstance(decision, GiveUp):
                buried = self._store.bury(tx, delivery, now, decision.reason, error, failure.uncertain)
                if buried and letter is not None:
                    self._dead_letters.send(tx, letter)
            else:
                self._store.retry(tx, delivery, now + decision.delay, error, failure.uncertain)

        await self._database.insist(job)
        # By AWS's count, webhooks fail with each attempt, all others once they are given up.
        if outgoing is not None and (delivery.protocol in _WEB or isinstance(decision, GiveUp)):
            self._count(outgoing, "NumberOfNotificationsFailed")
