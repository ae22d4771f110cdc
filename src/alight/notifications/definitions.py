"""Topics and subscriptions, read once: what was made of a definition is kept for as long as that does not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

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
from alight.store.records import Records

#: Definitions, topics with their subscribers, and subscribers of one topic that are kept; more are read anew.
REMEMBERED = 1_000

#: Subscribers of one topic that are served.
MOST_SUBSCRIBERS = 1_000_000

T = TypeVar("T")


class _Made(Generic[T]):
    """What was made of definitions, by name, beside the revision that it was made of."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, T]] = {}

    def get(self, name: str, revision: object, make: Callable[[], T], keep: Callable[[T], bool] = lambda _: True) -> T:
        known = self._kept.get(name)
        if known is not None and known[0] is revision:
            return known[1]
        if len(self._kept) >= REMEMBERED:
            self._kept.clear()
        made = make()
        if keep(made):
            self._kept[name] = revision, made
        return made


class Definitions:
    """Asked on the event loop for what is committed, and in the writer's thread for what a job sees."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._topics: _Made[Topic | None] = _Made()
        self._subscriptions: _Made[Subscription | None] = _Made()
        self._subscribers: _Made[Sequence[Subscription]] = _Made()

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
    return len(subscribers) <= REMEMBERED
