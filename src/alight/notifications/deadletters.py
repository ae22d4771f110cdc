"""A subscription's own dead-letter queue (RedrivePolicy): what could not be delivered also goes there.

The delivery stays in the outbox as dead in any case; the queue is for those who asked for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alight.errors import Fault
from alight.notifications.channels.queue import SendQueue, message_attributes, queue_body
from alight.notifications.envelope import Envelopes
from alight.notifications.outgoing import Outgoing
from alight.store.database import Tx

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes to which queue (ARN), from which topic (ARN), and what has caused it."""

    queue: str
    topic: str
    body: str
    attributes: Mapping[str, Any]
    cause: str


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Writes a subscription's dead letters."""

    envelopes: Envelopes
    send_queue: SendQueue

    async def prepare(self, outgoing: Outgoing) -> Letter | None:
        """The letter, where the subscription names a queue."""
        settings = outgoing.subscription.settings if outgoing.subscription else {}
        target = json.loads(settings.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        if not target:
            return None
        body = await asyncio.to_thread(queue_body, self.envelopes, outgoing)
        attributes = message_attributes(outgoing.message) if outgoing.delivery.raw else {}
        return Letter(target, outgoing.message.topic, body, attributes, outgoing.message.cause)

    def send(self, tx: Tx, letter: Letter) -> None:
        """Into the queue, in the transaction that records the end, which a closed or missing queue must not stop."""
        try:
            self.send_queue(tx, letter.queue, letter.body, letter.attributes, letter.topic, letter.cause)
        except Fault as fault:
            log.warning("no dead letter in %s: %s", letter.queue, fault.message)
