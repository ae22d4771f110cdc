"""Messages of a queue as a function gets them, and what its answer says of each (pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from alight.names import REGION, queue_arn
from alight.services.sqs.digests import md5_of_attributes, md5_of_body
from alight.store.queues import QueuedMessage

#: Bytes of a batch's event.
MOST_BYTES = 6 * 1024 * 1024


def record_of(message: QueuedMessage) -> dict[str, Any]:
    """One record of the event `{"Records": [...]}`."""
    first = message.first_received if message.first_received is not None else message.sent
    system = {
        "ApproximateReceiveCount": str(message.receives),
        "SentTimestamp": str(int(message.sent * 1000)),
        "SenderId": message.sender,
        "ApproximateFirstReceiveTimestamp": str(int(first * 1000)),
    }
    record: dict[str, Any] = {
        "messageId": message.id,
        "receiptHandle": message.handle,
        "body": message.body,
        "attributes": system | ({"DeadLetterQueueSourceArn": queue_arn(message.source)} if message.source else {}),
        "messageAttributes": {name: _attribute(value) for name, value in message.attributes.items()},
        "md5OfBody": md5_of_body(message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(message.queue),
        "awsRegion": REGION,
    }
    return record | ({"md5OfMessageAttributes": md5_of_attributes(message.attributes)} if message.attributes else {})


def _attribute(value: dict[str, str]) -> dict[str, Any]:
    """Binary values are base64 here as where they are stored."""
    one = {"binaryValue": value["BinaryValue"]} if "BinaryValue" in value else {"stringValue": value["StringValue"]}
    return one | {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def event_of(records: Sequence[dict[str, Any]], limit: int = MOST_BYTES) -> tuple[bytes, int]:
    """The event, and how many of the records it holds: as many as fit into `limit` bytes, at least one."""
    texts: list[str] = []
    size = len('{"Records": []}')
    for record in records:
        text = json.dumps(record)
        size += len(text) + 2
        if texts and size > limit:
            break
        texts.append(text)
    return f'{{"Records": [{", ".join(texts)}]}}'.encode(), len(texts)


def failures(answer: bytes, ids: frozenset[str]) -> frozenset[str]:
    """The message ids that an answer with ReportBatchItemFailures names. One that cannot be understood fails them all;
    one that says nothing fails none."""
    try:
        said = json.loads(answer) if answer else None
    except (ValueError, RecursionError):
        return ids
    if said in (None, "", {}, []):
        return frozenset()
    if not isinstance(said, dict):
        return ids
    named = said.get("batchItemFailures")
    if named is None:
        return frozenset()
    if not isinstance(named, list):
        return ids
    found = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in named]
    # What is no text, or none of these, may mean any of them.
    known = frozenset(item for item in found if isinstance(item, str) and item in ids)
    return known if len(known) == len({str(item) for item in found}) else ids
