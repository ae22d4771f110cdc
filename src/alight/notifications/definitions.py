"""Topics and subscriptions, read once: what was made of a definition is kept for as long as that does not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from alight.notifications.message import (
    SUBSCRIPTION,
    TOPIC,
    Subscription,
    SubscriptionState,
    Topic,
    to_subscription,
    to_topic,
)
from alight.store.database import Tx
from alight.store.made import REMEMBERED, Made
from alight.store.records import Records

#: Subscribers of one topic that are served.
MOST_SUBSCRIBERS = 1_000_000

T = TypeVar("T")


class Definitions:
    """Asked on the event loop for what is committed, and in the writer's thread for what a job sees."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._topics: Made[Topic | None] = Made()
        self._subscriptions: Made[Subscription | None] = Made()
        self._subscribers: Made[Sequence[Subscription]] = Made()

    def topic(self, arn: str) -> Topic | None:
        """On the event loop. Raises `Damaged`."""
        return self._topics.get(
            arn, self._records.revision(TOPIC, arn), lambda: self._read(TOPIC, arn, lambda name, body: to_topic(body))
        )

    def subscription(self, arn: str) -> Subscription | None:
        """On the event loop. Raises `Damaged`."""
        revision = self._records.revision(SUBSCRIPTION, arn)
        return self._subscriptions.get(arn, revision, lambda: self._read(SUBSCRIPTION, arn, to_subscription))

    def subscribers(self, tx: Tx, topic: str) -> Sequence[Subscription]:
        """In the writer's thread: who has confirmed, as the job sees it."""
        prefix = f"{topic}:"
        revision = self._records.revision_of_all(SUBSCRIPTION, tx)
        return self._subscribers.get(topic, revision, lambda: self._confirmed(tx, prefix), _few)

    def _read(self, kind: str, arn: str, made: Callable[[str, Any], T]) -> T | None:
        record = self._records.get(kind, arn)
        return None if record is None else made(arn, record.body)

    def _confirmed(self, tx: Tx, prefix: str) -> Sequence[Subscription]:
        records = self._records.list(SUBSCRIPTION, prefix, limit=MOST_SUBSCRIBERS, tx=tx)
        found = (to_subscription(record.name, record.body) for record in records)
        return tuple(one for one in found if one.state is SubscriptionState.CONFIRMED)


def _few(subscribers: Sequence[Subscription]) -> bool:
    """Whether they are kept: of a topic with more they are read anew."""
    return len(subscribers) <= REMEMBERED
