"""What a way out has to offer: one delivery in, done or `Failed` out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol as Port

from alight.notifications.message import Protocol, Subscription, Topic
from alight.store.database import Tx
from alight.store.outbox import Delivery, StoredMessage


@dataclass(frozen=True, slots=True)
class Outgoing:
    """All that a channel may need of one delivery. `topic` and `subscription` are None for a text to a number."""

    delivery: Delivery
    message: StoredMessage
    topic: Topic | None
    subscription: Subscription | None

    @property
    def protocol(self) -> Protocol:
        return Protocol(self.delivery.protocol)

    @property
    def topic_policy(self) -> str:
        return self.topic.settings.get("DeliveryPolicy", "") if self.topic else ""

    @property
    def subscription_policy(self) -> str:
        return self.subscription.settings.get("DeliveryPolicy", "") if self.subscription else ""


class Channel(Port):
    """A way out of this machine. Returning means that the target has it; else raises `policy.Failed`."""

    async def send(self, outgoing: Outgoing) -> None: ...


class LocalChannel(Port):
    """A way to something in this house: it happens in the transaction that records it, so exactly once.

    `prepare` runs before (signing takes time, which the writer has not), `deliver` in the write job; a fault there is
    the target's refusal.
    """

    def prepare(self, outgoing: Outgoing) -> str: ...

    def deliver(self, tx: Tx, outgoing: Outgoing, prepared: str) -> None: ...
