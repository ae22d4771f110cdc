"""Who subscribed to what: made, confirmed by a token that only the subscriber gets, ended, restored.

Webhooks and mailboxes are pending until they confirm; functions, queues and phones are confirmed at once. A token is
valid for two days, used once, and kept only as its SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import replace

from alight.clock import Clock
from alight.names import ACCOUNT, new_request_id, subscription_arn
from alight.notifications.definitions import MOST_SUBSCRIBERS
from alight.notifications.envelope import confirmation_text
from alight.notifications.message import (
    SUBSCRIPTION,
    Kind,
    Protocol,
    Subscription,
    SubscriptionState,
    to_subscription,
)
from alight.notifications.topics import Topics
from alight.store.database import Database, Tx
from alight.store.records import Records

TOKEN_SECONDS = 2 * 24 * 3600.0
TOKEN_BYTES = 64

#: Protocols whose subscribers must say yes.
ASKED = frozenset({Protocol.HTTP, Protocol.HTTPS, Protocol.EMAIL, Protocol.EMAIL_JSON})


class SubscriptionExists(ValueError):
    """Subscription already exists with different attributes"""


class Subscriptions:
    """The subscriptions of all topics, as records."""

    def __init__(self, database: Database, records: Records, topics: Topics, clock: Clock) -> None:
        self._database = database
        self._records = records
        self._topics = topics
        self._clock = clock

    def get(self, arn: str) -> Subscription | None:
        """One that was not ended."""
        record = self._records.get(SUBSCRIPTION, arn)
        found = to_subscription(record.name, record.body) if record else None
        return found if found and found.state is not SubscriptionState.DELETED else None

    def page(self, topic: str = "", after: str = "", limit: int = 100) -> list[Subscription]:
        """Those of a topic, or of all, in the order of their ARNs."""
        found: list[Subscription] = []
        while len(found) < limit:
            records = self._records.list(SUBSCRIPTION, f"{topic}:" if topic else "", after, limit)
            everyone = [to_subscription(record.name, record.body) for record in records]
            found += [one for one in everyone if one.state is not SubscriptionState.DELETED]
            if len(records) < limit:
                break
            after = records[-1].name
        return found[:limit]

    def counts(self, topic: str) -> dict[SubscriptionState, int]:
        counts = dict.fromkeys(SubscriptionState, 0)
        for record in self._records.list(SUBSCRIPTION, f"{topic}:", limit=MOST_SUBSCRIBERS):
            counts[SubscriptionState(record.body["State"])] += 1
        return counts

    async def subscribe(
        self, topic: str, protocol: Protocol, endpoint: str, settings: Mapping[str, str], principal: str
    ) -> Subscription:
        """Subscribe, or ask again who has not answered. Raises `SubscriptionExists`."""

        def job(tx: Tx) -> Subscription:
            known = self._find(tx, topic, protocol, endpoint)
            if known is not None and known.state is SubscriptionState.CONFIRMED:
                if settings and dict(known.settings) != dict(settings):
                    raise SubscriptionExists(SubscriptionExists.__doc__)
                return known
            arn = known.arn if known else subscription_arn(topic, new_request_id())
            fresh = Subscription(
                arn, topic, protocol, endpoint, ACCOUNT, principal, SubscriptionState.PENDING, settings=dict(settings)
            )
            if protocol in ASKED:
                return self._ask(tx, fresh, Kind.SUBSCRIBE)
            confirmed = replace(fresh, state=SubscriptionState.CONFIRMED, authenticated=True)
            self._records.put(tx, SUBSCRIPTION, arn, confirmed.body())
            return confirmed

        return await self._database.write(job)

    async def confirm(self, topic: str, token: str, *, authenticated: bool = False) -> Subscription | None:
        """The subscription that the token confirms, or None where it is unknown, used or too old."""

        def job(tx: Tx) -> Subscription | None:
            for one in self._of_topic(tx, topic):
                if self.is_confirmed_by(one, token):
                    confirmed = replace(
                        one,
                        state=SubscriptionState.CONFIRMED,
                        token="",
                        token_expires=0.0,
                        authenticated=authenticated,
                    )
                    self._records.put(tx, SUBSCRIPTION, one.arn, confirmed.body())
                    return confirmed
            return None

        return await self._database.write(job)

    def is_confirmed_by(self, subscription: Subscription, token: str) -> bool:
        """Whether it waits for this token, which is not too old."""
        known, digest = subscription.token, _digest(token)
        return bool(known) and hmac.compare_digest(known, digest) and self._clock.now() < subscription.token_expires

    async def unsubscribe(self, arn: str) -> None:
        """End a subscription. Who confirmed it is told, and can take it back for two days."""

        def job(tx: Tx) -> None:
            record = self._records.get(SUBSCRIPTION, arn, tx)
            one = to_subscription(arn, record.body) if record else None
            if one is None or one.state is SubscriptionState.DELETED:
                return
            if one.state is SubscriptionState.CONFIRMED and one.protocol in ASKED:
                self._ask(tx, replace(one, state=SubscriptionState.DELETED), Kind.UNSUBSCRIBE)
            else:
                self._records.delete(tx, SUBSCRIPTION, arn)

        await self._database.write(job)

    async def configure(self, subscription: Subscription, settings: Mapping[str, str]) -> None:
        """Replace the settings."""
        changed = replace(subscription, settings=dict(settings))
        await self._records.save(SUBSCRIPTION, subscription.arn, changed.body())

    def remove_all(self, tx: Tx, topic: str) -> None:
        """The topic goes."""
        for one in self._of_topic(tx, topic):
            self._records.delete(tx, SUBSCRIPTION, one.arn)

    def _ask(self, tx: Tx, subscription: Subscription, kind: Kind) -> Subscription:
        token = secrets.token_hex(TOKEN_BYTES)
        expires = self._clock.now() + TOKEN_SECONDS
        asked = replace(subscription, token=_digest(token), token_expires=expires)
        self._records.put(tx, SUBSCRIPTION, asked.arn, asked.body())
        self._topics.ask(tx, kind, asked, token, confirmation_text(kind, asked.topic, asked))
        return asked

    def _of_topic(self, tx: Tx, topic: str) -> list[Subscription]:
        records = self._records.list(SUBSCRIPTION, f"{topic}:", limit=MOST_SUBSCRIBERS, tx=tx)
        return [to_subscription(record.name, record.body) for record in records]

    def _find(self, tx: Tx, topic: str, protocol: Protocol, endpoint: str) -> Subscription | None:
        """The subscription of this endpoint. Those whose token ran out unused are forgotten on the way."""
        found = None
        for one in self._of_topic(tx, topic):
            if one.protocol is protocol and one.endpoint == endpoint:
                found = one
            elif one.state is not SubscriptionState.CONFIRMED and one.token_expires < self._clock.now():
                self._records.delete(tx, SUBSCRIPTION, one.arn)
        return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
