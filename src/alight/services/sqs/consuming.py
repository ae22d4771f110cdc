"""Queues as those inside the house read them who hand messages to functions: by ARN, many at a time, with no request.

Hiding, counting of receives and the way into a dead-letter queue are those of ReceiveMessage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from alight.clock import Clock
from alight.errors.sqs import QueueDoesNotExist
from alight.names import parse_arn
from alight.services.sqs.queues import Queue, QueueOperations
from alight.store.database import Database, Tx
from alight.store.queues import QueuedMessage, QueueStore


class Consumer:
    """Takes messages and says what became of them. A queue that is gone is an empty one."""

    def __init__(self, database: Database, queues: QueueOperations, store: QueueStore, clock: Clock) -> None:
        self._database = database
        self._queues = queues
        self._store = store
        self._clock = clock

    def hiding(self, arn: str) -> int:
        """Seconds for which a message is hidden from others. Raises `QueueDoesNotExist`."""
        return self._queues.named(_name(arn)).seconds("VisibilityTimeout")

    def visible(self, arn: str, limit: int) -> int:
        """How many can be taken now, counted up to `limit`."""
        queue = self._known(arn)
        if queue is None:
            return 0
        return self._store.count_visible(queue.name, self._clock.now(), self._queues.oldest(queue), limit)

    def next_visible(self, arn: str) -> float | None:
        """Seconds until a message that is hidden now shows up; None where there is none."""
        now = self._clock.now()
        moment = self._store.next_visible(_name(arn), now)
        return None if moment is None else moment - now

    async def take(self, arn: str, limit: int) -> list[QueuedMessage]:
        """Receive up to `limit` messages; those received too often go to the dead-letter queue instead."""
        name = _name(arn)

        def job(tx: Tx) -> list[QueuedMessage]:
            queue = self._queues.named(name, tx)
            return self._store.receive(
                tx,
                name,
                now=self._clock.now(),
                visibility=queue.seconds("VisibilityTimeout"),
                oldest=self._queues.oldest(queue),
                limit=limit,
                redrive=self._queues.redrive_of(queue, tx),
            )

        try:
            return await self._database.write(job)
        except QueueDoesNotExist:
            return []

    async def settle(self, done: Sequence[QueuedMessage], back: Sequence[QueuedMessage]) -> None:
        """Delete what is done and give back what was not begun with; whatever else was taken shows up in its time."""
        if not done and not back:
            return
        now = self._clock.now()

        def job(tx: Tx) -> None:
            for message in done:
                self._store.delete(tx, message.queue, message.seq, message.receipt)
            for message in back:
                self._store.give_back(tx, message, now)

        await self._database.insist(job)

    def listen(self, arn: str) -> asyncio.Event:
        """Set whenever something may have shown up; give it back by `leave`."""
        return self._store.listen(_name(arn))

    def leave(self, arn: str, bell: asyncio.Event) -> None:
        self._store.leave(_name(arn), bell)

    def _known(self, arn: str) -> Queue | None:
        try:
            return self._queues.named(_name(arn))
        except QueueDoesNotExist:
            return None


def _name(arn: str) -> str:
    return parse_arn(arn).resource
