"""Signatures before they are needed: while a worker that has published ends, and its attempt's decision is flushed.

RSA takes a quarter of a millisecond, which would stand between the decision and the first byte to a webhook. What is
signed ahead and does not leave after all was signed in vain: so only what somebody gets as it is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from alight.errors.store import Damaged
from alight.notifications.definitions import Definitions
from alight.notifications.envelope import Envelopes
from alight.notifications.message import SUBSCRIPTION, Protocol, Subscription, SubscriptionState, to_subscription
from alight.store.outbox import StoredMessage
from alight.store.records import Records

#: Seconds after a publish: its own answer goes first.
PAUSE = 0.001

#: Messages of one attempt that are signed ahead. Who tells more hardly waits for each.
MOST = 4

#: Subscribers of a topic that are looked at, and topics that are remembered.
LOOKED_AT = 20
REMEMBERED = 1_000

#: Whose subscribers get an envelope, and so a signature.
_SIGNED = frozenset({Protocol.HTTP, Protocol.HTTPS, Protocol.SQS, Protocol.LAMBDA, Protocol.EMAIL_JSON})


class Ahead:
    """Called on the event loop with what an attempt has staged."""

    def __init__(self, envelopes: Envelopes, records: Records) -> None:
        self._envelopes = envelopes
        self._records = records
        self._definitions = Definitions(records)
        self._wanted: dict[str, bool] = {}
        #: The version of all definitions for which `_wanted` holds.
        self._version = -1

    def __call__(self, message: StoredMessage) -> None:
        if message.ordinal >= MOST or message.structure:
            return
        try:
            is_wanted = self._is_wanted(message.topic)
        except Exception:
            # It is staged: who has published must not be told of a failure, and publish again. The delivery meets it.
            return
        if is_wanted:
            asyncio.get_running_loop().call_later(PAUSE, self._sign, message)

    def _sign(self, message: StoredMessage) -> None:
        # Where its topic cannot be read, that is for the delivery to meet.
        with suppress(Damaged):
            self._envelopes.sign_ahead(message, self._definitions.topic(message.topic))

    def _is_wanted(self, topic: str) -> bool:
        if self._version != self._records.version or len(self._wanted) >= REMEMBERED:
            self._wanted.clear()
            self._version = self._records.version
        wanted = self._wanted.get(topic)
        if wanted is None:
            found = self._records.list(SUBSCRIPTION, f"{topic}:", limit=LOOKED_AT)
            wanted = any(_gets_all_signed(to_subscription(one.name, one.body)) for one in found)
            self._wanted[topic] = wanted
        return wanted


def _gets_all_signed(subscription: Subscription) -> bool:
    """Whether it gets every message, in an envelope."""
    return (
        subscription.state is SubscriptionState.CONFIRMED
        and subscription.protocol in _SIGNED
        and not subscription.raw
        and "FilterPolicy" not in subscription.settings
    )
