"""A bucket tells functions, topics and queues; one that is gone keeps no object from being stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from alight.clock import ManualClock
from alight.errors.sqs import QueueDoesNotExist
from alight.events.match import Rule
from alight.notifications.topics import Topics
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.invocations import Queue
from alight.services.targets import Targets
from alight.store import journal
from alight.store.database import Database, Tx
from alight.store.outbox import OutboxStore
from alight.store.records import Records

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:classify"
TOPIC = "arn:aws:sns:us-east-1:000000000000:seen"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:jobs"
PAYLOAD = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.records = Records(database)
        self.sent: list[tuple[str, str]] = []
        self.rows = OutboxStore(database)
        clock = ManualClock()
        catalogue = Catalogue(database, self.records)
        queue = Queue(catalogue, clock, max_age=60, accept=journal.accept, wake=lambda: None)
        topics = Topics(self.rows, self.records, clock, lambda: None)
        self.closed: set[str] = set()
        self.targets = Targets(self.records, catalogue, queue, topics, self.send, self.admits)

    def admits(self, service: str, action: str, target: str, source: str, tx: Tx | None) -> bool:
        assert (service, source) == ("s3.amazonaws.com", "arn:aws:s3:::b")
        return target not in self.closed

    def send(self, tx: Tx, arn: str, body: str, attributes: Mapping[str, Any], cause: str) -> None:
        if arn != QUEUE:
            raise QueueDoesNotExist()
        self.sent.append((arn, body))

    async def emit(self, target: str) -> None:
        rule = Rule("id", target, ("s3:ObjectCreated:*",), "", "", filtered=False)
        await self.database.write(lambda tx: self.targets.emit(tx, target, PAYLOAD, rule))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = await Database.open(tmp_path, ManualClock())
    yield House(database)
    await database.close()


async def test_a_function_gets_an_event_that_says_where_it_came_from(house: House) -> None:
    await house.emit(FUNCTION)
    [event] = journal.newest(house.database.read())
    assert event.function == FUNCTION
    assert event.source == {"kind": "s3", "event": "ObjectCreated:Put", "bucket": "b", "key": "k", "version": ""}


async def test_a_queue_gets_the_records(house: House) -> None:
    await house.emit(QUEUE)
    assert [arn for arn, _ in house.sent] == [QUEUE]


async def test_a_queue_that_is_gone_keeps_no_object_from_being_stored(house: House) -> None:
    await house.emit(QUEUE + "-gone")
    assert house.sent == []


async def test_missing_targets_are_named_in_s3s_words(house: House) -> None:
    assert house.targets.missing(FUNCTION) == "The destination Lambda function does not exist"
    assert house.targets.missing(TOPIC) == "The destination topic does not exist"
    assert house.targets.missing(QUEUE) == "The destination queue does not exist"
    await house.records.save("sns:topic", TOPIC, {})
    assert house.targets.missing(TOPIC) is None


async def test_what_does_not_let_the_bucket_in_is_refused_and_is_not_told(house: House) -> None:
    await house.records.save("sqs:queue", "jobs", {})
    assert house.targets.refusal(QUEUE, "b") is None
    house.closed = {QUEUE}
    why = "Permissions on the destination queue do not allow S3 to publish notifications from this bucket"
    assert house.targets.refusal(QUEUE, "b") == why
    await house.emit(QUEUE)
    assert house.sent == []
