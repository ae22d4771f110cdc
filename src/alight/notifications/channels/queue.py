"""To a queue of this house: the envelope as the body, or the bare message with its attributes (raw delivery)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alight.notifications.envelope import Envelopes, dumps, text_for
from alight.notifications.message import Protocol
from alight.notifications.outgoing import Outgoing
from alight.store.database import Tx
from alight.store.outbox import StoredMessage

#: (tx, queue ARN, body, message attributes in SQS's members, ARN of the topic that it comes from, its cause)
SendQueue = Callable[[Tx, str, str, Mapping[str, Any], str, str], None]


@dataclass(frozen=True, slots=True)
class QueueChannel:
    """Puts messages into queues; one that is missing, or whose policy does not let the topic in, is a fault."""

    envelopes: Envelopes
    send_queue: SendQueue

    def prepare(self, outgoing: Outgoing) -> str:
        return queue_body(self.envelopes, outgoing)

    def deliver(self, tx: Tx, outgoing: Outgoing, prepared: str) -> None:
        message = outgoing.message
        attributes = message_attributes(message) if outgoing.delivery.raw else {}
        self.send_queue(tx, outgoing.delivery.target, prepared, attributes, message.topic, message.cause)


def queue_body(envelopes: Envelopes, outgoing: Outgoing) -> str:
    """The text that a queue gets for one delivery."""
    if outgoing.delivery.raw:
        return text_for(outgoing.message, Protocol.SQS)
    subscription = outgoing.delivery.subscription
    return dumps(envelopes.envelope(outgoing.message, outgoing.topic, subscription, Protocol.SQS))


def message_attributes(message: StoredMessage) -> dict[str, Any]:
    """A message's attributes in SQS's members."""
    members: dict[str, Any] = {}
    for name, attribute in message.attributes.items():
        if attribute["Type"].partition(".")[0] == "Binary":
            value: dict[str, Any] = {"BinaryValue": base64.b64decode(attribute["Value"])}
        else:
            value = {"StringValue": attribute["Value"]}
        members[name] = {"DataType": attribute["Type"], **value}
    return members
