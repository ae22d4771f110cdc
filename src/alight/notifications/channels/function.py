"""To a function of this house: its asynchronous event is accepted in the transaction that records the delivery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alight.notifications.envelope import Envelopes, dumps
from alight.notifications.outgoing import Outgoing
from alight.store.database import Tx


@dataclass(frozen=True, slots=True)
class FunctionChannel:
    """`invoke_function(tx, function ARN, payload, source ARN, event that published)` accepts an event; a missing
    function is a fault."""

    envelopes: Envelopes
    invoke_function: Callable[[Tx, str, bytes, str, str], None]

    def prepare(self, outgoing: Outgoing) -> str:
        return dumps(self.envelopes.function_event(outgoing.message, outgoing.topic, outgoing.delivery.subscription))

    def deliver(self, tx: Tx, outgoing: Outgoing, prepared: str) -> None:
        message = outgoing.message
        self.invoke_function(tx, outgoing.delivery.target, prepared.encode(), message.topic, message.cause)
