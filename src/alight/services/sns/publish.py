"""Publish and PublishBatch: checked here, then held for the attempt that publishes, or taken on in one transaction with
their deliveries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from alight.calls import Call, Members
from alight.errors import Fault
from alight.errors.sns import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    InvalidParameter,
    TooManyEntriesInBatchRequest,
)
from alight.notifications.channels.sms import MOST_LETTERS, is_phone_number
from alight.notifications.message import Message
from alight.notifications.topics import Topics
from alight.services.members import check
from alight.services.sns import rules
from alight.services.sns.topics import TopicOperations
from alight.store.database import Database, Tx

MOST_ENTRIES = 10

_ENTRY_MEMBERS = ("Id", "Message", "Subject", "MessageStructure", "MessageAttributes")
_ENTRY_ID = re.compile(r"^[A-Za-z0-9_-]{1,80}$")


class PublishOperations:
    """What a worker publishes counts as its attempt's; see `notifications.topics`."""

    def __init__(self, database: Database, operations: TopicOperations, topics: Topics) -> None:
        self._database = database
        self._operations = operations
        self._topics = topics

    async def publish(self, call: Call, given: Members) -> Members:
        message = self._message(given)
        (message_id,) = await self._take_on(call, [message])
        return {"MessageId": message_id}

    async def publish_batch(self, call: Call, given: Members) -> Members:
        topic = self._operations.find(given["TopicArn"]).arn
        entries = given["PublishBatchRequestEntries"]
        _check_batch(entries)
        good: list[tuple[str, Message]] = []
        failed: list[Members] = []
        total = 0
        for entry in entries:
            try:
                check("sns", "PublishBatch", entry, _ENTRY_MEMBERS)
                message = _content(entry, topic)
                total += rules.size(message.body, message.attributes)
                good.append((entry["Id"], message))
            except Fault as fault:
                failed.append(
                    {"Id": entry["Id"], "Code": fault.code, "Message": fault.message, "SenderFault": fault.by_sender}
                )
        if total > rules.MOST_BYTES:
            raise BatchRequestTooLong()

        ids = await self._take_on(call, [message for _, message in good])
        names = [{"Id": entry_id, "MessageId": id} for (entry_id, _), id in zip(good, ids, strict=True)]
        return {"Successful": names, "Failed": failed}

    async def _take_on(self, call: Call, messages: Sequence[Message]) -> list[str]:
        """All of them, or none: a client that is told of a failure asks for all of them again."""

        def job(tx: Tx) -> list[str]:
            return [self._topics.publish(tx, message, call.attempt) for message in messages]

        held = self._topics.stage(messages, call.attempt) if messages else []
        return held if held is not None else await self._database.write(job)

    def _message(self, given: Members) -> Message:
        """Where to and what, from the members of Publish."""
        targets = [name for name in ("TopicArn", "TargetArn", "PhoneNumber") if given.get(name) is not None]
        if not targets:
            raise InvalidParameter("Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter")
        if len(targets) > 1:
            raise InvalidParameter(f"Invalid parameter: {targets[1]} Reason: only one target may be given")
        if targets == ["PhoneNumber"]:
            return _text(given)
        arn = given[targets[0]]
        if targets == ["TargetArn"] and ":endpoint/" in arn:
            raise InvalidParameter(
                "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"
            )
        message = _content(given, rules.topic_arn(arn, targets[0]))
        self._operations.find(arn, targets[0])
        return message


def _content(given: Members, topic: str) -> Message:
    subject = rules.subject(given.get("Subject"))
    body = given["Message"]
    if not body:
        raise InvalidParameter("Invalid parameter: Empty message")
    attributes = rules.attributes(given.get("MessageAttributes"))
    if rules.size(body, attributes) > rules.MOST_BYTES:
        raise InvalidParameter("Invalid parameter: Message too long")
    structure = rules.structure(given.get("MessageStructure"), body)
    return Message(topic, body, subject, structure, attributes)


def _text(given: Members) -> Message:
    phone = given["PhoneNumber"]
    if not is_phone_number(phone):
        raise InvalidParameter(f"Invalid parameter: PhoneNumber Reason: {phone} is not valid to publish to")
    message = _content(given, "")
    if len(message.body) > MOST_LETTERS:
        raise InvalidParameter("Invalid parameter: Message too long")
    return Message("", message.body, message.subject, message.structure, message.attributes, phone)


def _check_batch(entries: list[dict[str, Any]]) -> None:
    if not entries:
        raise EmptyBatchRequest()
    if len(entries) > MOST_ENTRIES:
        raise TooManyEntriesInBatchRequest()
    ids = [entry["Id"] for entry in entries]
    for entry_id in ids:
        if not _ENTRY_ID.fullmatch(entry_id):
            raise InvalidBatchEntryId()
    if len(set(ids)) != len(ids):
        raise BatchEntryIdsNotDistinct()
