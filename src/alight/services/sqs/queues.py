"""Operations on queues themselves: made, found, described, set, emptied, tagged, removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.common import NotImplemented_
from alight.errors.sqs import (
    InvalidAttributeName,
    InvalidParameterValue,
    PurgeQueueInProgress,
    QueueDoesNotExist,
    QueueNameExists,
)
from alight.names import ACCOUNT, queue_arn, queue_in
from alight.services.paging import next_token, read_token
from alight.services.sqs import attributes as rules
from alight.store.database import Database, Tx
from alight.store.made import Made
from alight.store.queues import QueueStore, Redrive
from alight.store.records import Records

KIND = "sqs:queue"
#: Tasks that move a queue's messages, by its name, a colon and an id.
MOVE = "sqs:move"
MOST_PER_PAGE = 1_000
#: Queues that are looked through.
MOST = 1_000_000
PURGE_SECONDS = 60.0

_NAME = re.compile(r"^[A-Za-z0-9_-]{1,80}$")


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue. `settings` are the attributes that were set; `value` knows the defaults."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    created: float = 0.0
    modified: float = 0.0
    purged: float = 0.0

    @property
    def arn(self) -> str:
        return queue_arn(self.name)

    def value(self, name: str) -> str:
        return self.settings.get(name) or rules.DEFAULTS.get(name, "")

    def seconds(self, name: str) -> int:
        return int(self.value(name))

    @property
    def redrive(self) -> Redrive | None:
        return rules.redrive_policy(self.settings.get("RedrivePolicy", ""))

    def body(self) -> dict[str, Any]:
        return {
            "Settings": self.settings,
            "Tags": self.tags,
            "Created": self.created,
            "Modified": self.modified,
            "Purged": self.purged,
        }


def to_queue(name: str, body: dict[str, Any]) -> Queue:
    return Queue(name, body["Settings"], body["Tags"], body["Created"], body["Modified"], body.get("Purged", 0.0))


class QueueOperations:
    """CreateQueue and its kind."""

    def __init__(self, database: Database, records: Records, store: QueueStore, clock: Clock) -> None:
        self._database = database
        self._records = records
        self._store = store
        self._clock = clock
        self._made: Made[Queue] = Made()

    def find(self, url: str, tx: Tx | None = None) -> Queue:
        """The queue behind a URL, whatever host it was reached by. Raises `QueueDoesNotExist`."""
        return self.named(queue_in(url), tx)

    def named(self, name: str, tx: Tx | None = None) -> Queue:
        revision = self._records.revision(KIND, name, tx)
        if revision is None:
            raise QueueDoesNotExist()
        return self._made.get((name, tx is not None), revision, lambda: self._read(name, tx))

    def _read(self, name: str, tx: Tx | None) -> Queue:
        record = self._records.get(KIND, name, tx)
        assert record is not None
        return to_queue(name, record.body)

    def oldest(self, queue: Queue) -> float:
        """Messages sent before this are no longer there."""
        return self._clock.now() - queue.seconds("MessageRetentionPeriod")

    def redrive_of(self, queue: Queue, tx: Tx) -> Redrive | None:
        """Where messages go that were received too often; nowhere, while that queue is missing."""
        redrive = queue.redrive
        return redrive if redrive and self._records.get(KIND, redrive.target, tx) else None

    def _check_redrive(self, queue: Queue, tx: Tx) -> None:
        redrive = queue.redrive
        if redrive is None:
            return
        start = f"Value {queue.settings['RedrivePolicy']} for parameter RedrivePolicy is invalid. Reason: "
        if self.redrive_of(queue, tx) is None:
            raise InvalidParameterValue(f"{start}Dead letter target does not exist.")
        target = self.named(redrive.target, tx)
        if not rules.allows_redrive(target.settings.get("RedriveAllowPolicy", ""), queue.arn):
            raise InvalidParameterValue(f"{start}Queue {target.arn} does not allow dead letters of {queue.arn}.")

    async def create_queue(self, call: Call, given: Members) -> Members:
        name = given["QueueName"]
        if name.endswith(".fifo"):
            raise NotImplemented_("Alight does not offer FIFO queues.")
        if not _NAME.fullmatch(name):
            raise InvalidParameterValue(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
            )
        settings = {key: value for key, value in (given.get("Attributes") or {}).items() if value != ""}
        rules.check_settings(settings)
        now = self._clock.now()

        def job(tx: Tx) -> None:
            record = self._records.get(KIND, name, tx)
            if record is None:
                made = Queue(name, settings, dict(given.get("tags") or {}), now, now)
                self._check_redrive(made, tx)
                self._records.put(tx, KIND, name, made.body())
                return
            known = to_queue(name, record.body)
            for key, value in settings.items():
                if known.value(key) != value:
                    raise QueueNameExists(
                        f"A queue already exists with the same name and a different value for attribute {key}"
                    )

        await self._database.write(job)
        return {"QueueUrl": queue_url(call.base_url, name)}

    async def get_queue_url(self, call: Call, given: Members) -> Members:
        return {"QueueUrl": queue_url(call.base_url, self.named(given["QueueName"]).name)}

    async def list_queues(self, call: Call, given: Members) -> Members:
        limit, after = _page(given)
        found = self._records.list(KIND, given.get("QueueNamePrefix") or "", after, limit + 1)
        names = [record.name for record in found]
        reply: Members = {"QueueUrls": [queue_url(call.base_url, name) for name in names[:limit]]}
        return reply | (next_token(names, limit) if given.get("MaxResults") else {})

    async def delete_queue(self, call: Call, given: Members) -> Members:
        queue = self.find(given["QueueUrl"])

        def job(tx: Tx) -> None:
            self._records.delete(tx, KIND, queue.name)
            self._store.purge(tx, queue.name)
            for task in self._records.list(MOVE, f"{queue.name}:", tx=tx):
                self._records.delete(tx, MOVE, task.name)

        await self._database.write(job)
        self._store.wake(queue.name)
        return {}

    async def purge_queue(self, call: Call, given: Members) -> Members:
        """Once in a minute, as on AWS, where it takes as long."""
        name = self.find(given["QueueUrl"]).name

        def job(tx: Tx) -> None:
            queue, now = self.named(name, tx), self._clock.now()
            if 0 <= now - queue.purged < PURGE_SECONDS:
                raise PurgeQueueInProgress(f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.")
            self._store.purge(tx, name)
            self._records.put(tx, KIND, name, replace(queue, purged=now).body())

        await self._database.write(job)
        return {}

    async def get_queue_attributes(self, call: Call, given: Members) -> Members:
        queue = self.find(given["QueueUrl"])
        wanted = set(given.get("AttributeNames") or [])
        if unknown := sorted(wanted - rules.KNOWN):
            raise InvalidAttributeName(f"Unknown Attribute {unknown[0]}.")
        everything = self._describe(queue) if wanted else {}
        if "All" not in wanted:
            everything = {name: value for name, value in everything.items() if name in wanted}
        return {"Attributes": everything}

    def _describe(self, queue: Queue) -> dict[str, str]:
        counts = self._store.counts(queue.name, self._clock.now(), self.oldest(queue))
        return {
            **rules.DEFAULTS,
            **{name: value for name, value in queue.settings.items() if value},
            "ApproximateNumberOfMessages": str(counts.visible),
            "ApproximateNumberOfMessagesDelayed": str(counts.delayed),
            "ApproximateNumberOfMessagesNotVisible": str(counts.in_flight),
            "CreatedTimestamp": str(int(queue.created)),
            "LastModifiedTimestamp": str(int(queue.modified)),
            "QueueArn": queue.arn,
        }

    async def set_queue_attributes(self, call: Call, given: Members) -> Members:
        rules.check_settings(given["Attributes"])
        await self.change(given["QueueUrl"], lambda queue: {**queue.settings, **given["Attributes"]})
        return {}

    async def change(self, url: str, settings: Callable[[Queue], dict[str, str]]) -> None:
        """Give a queue the settings that `settings` makes of it; an empty one is taken away."""
        name = self.find(url).name

        def job(tx: Tx) -> None:
            queue = self.named(name, tx)
            kept = {key: value for key, value in settings(queue).items() if value != ""}
            changed = replace(queue, settings=kept, modified=self._clock.now())
            self._check_redrive(changed, tx)
            self._records.put(tx, KIND, name, changed.body())

        await self._database.write(job)

    async def list_dead_letter_source_queues(self, call: Call, given: Members) -> Members:
        limit, after = _page(given)
        sources = self.sources_of(self.find(given["QueueUrl"]).name, after)
        reply: Members = {"queueUrls": [queue_url(call.base_url, name) for name in sources[:limit]]}
        return reply | (next_token(sources[: limit + 1], limit) if given.get("MaxResults") else {})

    def sources_of(self, target: str, after: str = "", tx: Tx | None = None) -> list[str]:
        """The names, behind `after`, of the queues whose dead letters go to the queue `target`."""
        found = [to_queue(record.name, record.body) for record in self._records.list(KIND, "", after, MOST, tx=tx)]
        return [queue.name for queue in found if queue.redrive and queue.redrive.target == target]

    async def tag_queue(self, call: Call, given: Members) -> Members:
        queue = self.find(given["QueueUrl"])
        changed = replace(queue, tags={**queue.tags, **given["Tags"]})
        await self._records.save(KIND, queue.name, changed.body())
        return {}

    async def untag_queue(self, call: Call, given: Members) -> Members:
        queue = self.find(given["QueueUrl"])
        kept = {key: value for key, value in queue.tags.items() if key not in given["TagKeys"]}
        await self._records.save(KIND, queue.name, replace(queue, tags=kept).body())
        return {}

    async def list_queue_tags(self, call: Call, given: Members) -> Members:
        tags = self.find(given["QueueUrl"]).tags
        return {"Tags": tags} if tags else {}


def _page(given: Members) -> tuple[int, str]:
    """How many are asked for, and behind which name."""
    limit = given.get("MaxResults") or MOST_PER_PAGE
    if not 1 <= limit <= MOST_PER_PAGE:
        raise InvalidParameterValue("MaxResults must be from 1 to 1000.")
    return limit, read_token(given.get("NextToken"), InvalidParameterValue("Invalid or expired next token."))


def queue_url(base_url: str, name: str) -> str:
    return f"{base_url.rstrip('/')}/{ACCOUNT}/{name}"
