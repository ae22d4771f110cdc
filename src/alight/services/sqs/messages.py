"""Operations on messages: sent, received, hidden, deleted; one by one and by the batch."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.sqs import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    InvalidParameterValue,
    MessageNotInflight,
    ReceiptHandleIsInvalid,
    TooManyEntriesInBatchRequest,
)
from alight.names import new_request_id, parse_arn, queue_arn
from alight.services.sqs import attributes as rules
from alight.services.sqs.digests import md5_of_attributes, md5_of_body
from alight.services.sqs.queues import Queue, QueueOperations
from alight.store import journal
from alight.store.database import Database, Tx
from alight.store.queues import QueuedMessage, QueueStore, read_handle
from alight.store.waiting import wait_until

MOST_ENTRIES = 10
MOST_BYTES = 1_048_576
LONGEST_HIDING = 43_200
SWEEP_SECONDS = 60.0

_ENTRY_ID = re.compile(r"^[A-Za-z0-9_-]{1,80}$")


class MessageOperations:
    """SendMessage, ReceiveMessage, DeleteMessage and their batches."""

    def __init__(self, database: Database, queues: QueueOperations, store: QueueStore, clock: Clock) -> None:
        self._database = database
        self._queues = queues
        self._store = store
        self._clock = clock
        #: When each queue's expired messages were last removed; used by the writer's thread alone.
        self._swept: dict[str, float] = {}

    def put(self, tx: Tx, arn: str, body: str, attributes: Mapping[str, Any], cause: str = "") -> None:
        """A message from inside the house, in its transaction. `arn` names the queue; a missing one is a fault. `cause`
        is that of a function that has caused it."""
        queue = self._queues.named(parse_arn(arn).resource, tx)
        self._send(tx, queue, {"MessageBody": body, "MessageAttributes": attributes}, "AIDAALIGHT", cause)

    async def send_message(self, call: Call, given: Members) -> Members:
        queue = self._queues.find(given["QueueUrl"])
        sender, cause = call.principal.user_id, _cause(call)
        return await self._database.write(lambda tx: self._send(tx, queue, given, sender, cause))

    async def send_message_batch(self, call: Call, given: Members) -> Members:
        queue = self._queues.find(given["QueueUrl"])
        entries = given["Entries"]
        _check_entries(entries)
        sizes = [rules.size(entry["MessageBody"], _lenient(entry)) for entry in entries]
        if sum(sizes) > MOST_BYTES:
            raise BatchRequestTooLong(
                f"Batch requests cannot be longer than {MOST_BYTES} bytes. You have sent {sum(sizes)} bytes."
            )
        sender, cause = call.principal.user_id, _cause(call)
        return await self._database.write(
            lambda tx: _each(entries, lambda entry: self._send(tx, queue, entry, sender, cause))
        )

    def _send(self, tx: Tx, queue: Queue, given: Mapping[str, Any], sender: str, cause: str) -> Members:
        """One message, from the members of SendMessage or of a batch's entry."""
        if given.get("MessageSystemAttributes"):
            raise NotImplemented_("Alight does not support the member MessageSystemAttributes of sqs SendMessage.")
        if given.get("MessageDeduplicationId") or given.get("MessageGroupId"):
            raise NotImplemented_("Alight does not offer FIFO queues: no MessageGroupId or MessageDeduplicationId.")
        body = given["MessageBody"]
        rules.check_body(body)
        attributes = rules.stored_attributes(given.get("MessageAttributes"))
        limit = queue.seconds("MaximumMessageSize")
        if rules.size(body, attributes) > limit:
            raise InvalidParameterValue(
                f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            )
        delay = given.get("DelaySeconds")
        if delay is None:
            delay = queue.seconds("DelaySeconds")
        elif not 0 <= delay <= 900:
            raise InvalidParameterValue(f"Value {delay} for parameter DelaySeconds is invalid.")
        self._sweep(tx, queue)
        message_id = new_request_id()
        # Kept whole: the event that caused it may be forgotten before it is read.
        chain = json.dumps(journal.chain(tx, cause)) if cause else ""
        self._store.send(
            tx,
            queue.name,
            message_id,
            body,
            attributes,
            sender=sender,
            sent=self._clock.now(),
            delay=delay,
            chain=chain,
        )
        reply: Members = {"MessageId": message_id, "MD5OfMessageBody": md5_of_body(body)}
        return reply | ({"MD5OfMessageAttributes": md5_of_attributes(attributes)} if attributes else {})

    async def receive_message(self, call: Call, given: Members) -> Members:
        queue = self._queues.find(given["QueueUrl"])
        limit = _within(given, "MaxNumberOfMessages", 1, MOST_ENTRIES, 1)
        visibility = _within(given, "VisibilityTimeout", 0, LONGEST_HIDING, queue.seconds("VisibilityTimeout"))
        wait = _within(given, "WaitTimeSeconds", 0, 20, queue.seconds("ReceiveMessageWaitTimeSeconds"))
        deadline = self._clock.monotonic() + wait
        event = self._store.listen(queue.name)
        try:
            while True:
                event.clear()
                # One look at the clocks: what shows up between two looks would be seen by neither.
                now, tick = self._clock.now(), self._clock.monotonic()
                found = await self._receive_now(queue, limit, visibility, now)
                if found or not await self._wait(queue, event, now, tick, deadline):
                    break
        finally:
            self._store.leave(queue.name, event)
        return {"Messages": [_shown(message, given) for message in found]} if found else {}

    async def _receive_now(self, queue: Queue, limit: int, visibility: int, now: float) -> list[QueuedMessage]:
        """What is there. A queue with nothing to receive is only looked at, not written to."""
        oldest = self._queues.oldest(queue)
        if not self._store.any_visible(queue.name, now, oldest):
            return []

        def job(tx: Tx) -> list[QueuedMessage]:
            # As of now: the queue may have been changed or removed while we waited for it.
            redrive = self._queues.redrive_of(self._queues.named(queue.name, tx), tx)
            self._sweep(tx, queue)
            return self._store.receive(
                tx,
                queue.name,
                now=self._clock.now(),
                visibility=visibility,
                oldest=oldest,
                limit=limit,
                redrive=redrive,
            )

        return await self._database.write(job)

    def _sweep(self, tx: Tx, queue: Queue) -> None:
        """Now and then, remove what is older than the queue keeps it (until then it is only not shown)."""
        now = self._clock.now()
        if now - self._swept.get(queue.name, 0.0) >= SWEEP_SECONDS:
            self._swept[queue.name] = now
            self._store.expire(tx, queue.name, self._queues.oldest(queue))

    async def _wait(self, queue: Queue, event: asyncio.Event, now: float, tick: float, deadline: float) -> bool:
        """Until something may be there, as seen from `now` (wall) and `tick` (monotonic). False where time is up."""
        if tick >= deadline:
            return False
        self._queues.named(queue.name)
        shows_up = self._store.next_visible(queue.name, now)
        moment = deadline if shows_up is None else min(deadline, tick + shows_up - now)
        await wait_until(self._clock, event, moment)
        return True

    async def delete_message(self, call: Call, given: Members) -> Members:
        queue = self._queues.find(given["QueueUrl"])
        await self._database.write(lambda tx: self._delete(tx, queue, given), frees=True)
        return {}

    async def delete_message_batch(self, call: Call, given: Members) -> Members:
        queue = self._queues.find(given["QueueUrl"])
        entries = given["Entries"]
        _check_entries(entries)
        return await self._database.write(
            lambda tx: _each(entries, lambda entry: self._delete(tx, queue, entry)), frees=True
        )

    def _delete(self, tx: Tx, queue: Queue, given: Mapping[str, Any]) -> Members:
        """An old handle, or one of a message that is gone, deletes nothing and is no fault."""
        seq, receipt = _handle(given)
        self._store.delete(tx, queue.name, seq, receipt)
        return {}

    async def change_message_visibility(self, call: Call, given: Members) -> Members:
        queue = self._queues.find(given["QueueUrl"])
        await self._database.write(lambda tx: self._hide(tx, queue, given))
        return {}

    async def change_message_visibility_batch(self, call: Call, given: Members) -> Members:
        queue = self._queues.find(given["QueueUrl"])
        entries = given["Entries"]
        _check_entries(entries)
        return await self._database.write(lambda tx: _each(entries, lambda entry: self._hide(tx, queue, entry)))

    def _hide(self, tx: Tx, queue: Queue, given: Mapping[str, Any]) -> Members:
        seconds = _within(given, "VisibilityTimeout", 0, LONGEST_HIDING, 0)
        seq, receipt = _handle(given)
        held = self._store.held(tx, queue.name, seq)
        if held is None:
            raise InvalidParameterValue(
                f"Value {given['ReceiptHandle']} for parameter ReceiptHandle is invalid. "
                "Reason: Message does not exist or is not available for visibility timeout change."
            )
        visible_at, current = held
        if current != receipt or visible_at <= self._clock.now():
            raise MessageNotInflight()
        self._store.hide(tx, queue.name, seq, receipt, self._clock.now() + seconds)
        return {}


def _cause(call: Call) -> str:
    return call.attempt.cause if call.attempt else ""


def _each(entries: list[dict[str, Any]], do: Callable[[dict[str, Any]], Members]) -> Members:
    """A batch: every entry succeeds or fails for itself."""
    successful: list[Members] = []
    failed: list[Members] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **do(entry)})
        except Fault as fault:
            failed.append(
                {"Id": entry["Id"], "Code": fault.code, "Message": fault.message, "SenderFault": fault.by_sender}
            )
    return {"Successful": successful, "Failed": failed}


def _check_entries(entries: list[dict[str, Any]]) -> None:
    if not entries:
        raise EmptyBatchRequest()
    if len(entries) > MOST_ENTRIES:
        raise TooManyEntriesInBatchRequest(
            f"Maximum number of entries per request are {MOST_ENTRIES}. You have sent {len(entries)}."
        )
    ids = [entry["Id"] for entry in entries]
    for entry_id in ids:
        if not _ENTRY_ID.fullmatch(entry_id):
            raise InvalidBatchEntryId()
    if len(set(ids)) != len(ids):
        raise BatchEntryIdsNotDistinct()


def _lenient(entry: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The attributes of an entry for counting; a bad one fails later, for itself."""
    try:
        return rules.stored_attributes(entry.get("MessageAttributes"))
    except Fault:
        return {}


def _within(given: Mapping[str, Any], name: str, least: int, most: int, otherwise: int) -> int:
    value = given.get(name)
    if value is None:
        return otherwise
    if not least <= value <= most:
        raise InvalidParameterValue(
            f"Value {value} for parameter {name} is invalid. Reason: Must be >= {least} and <= {most}, if provided."
        )
    return int(value)


def _handle(given: Mapping[str, Any]) -> tuple[int, str]:
    try:
        return read_handle(given["ReceiptHandle"])
    except ValueError:
        raise ReceiptHandleIsInvalid(
            f'The input receipt handle "{given["ReceiptHandle"]}" is not a valid receipt handle.'
        ) from None


def _shown(message: QueuedMessage, given: Members) -> Members:
    """A received message in SQS's members."""
    shown: Members = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": md5_of_body(message.body),
        "Body": message.body,
    }
    wanted = {*(given.get("AttributeNames") or []), *(given.get("MessageSystemAttributeNames") or [])}
    system = {name: value for name, value in _system(message).items() if name in wanted or "All" in wanted}
    if system:
        shown["Attributes"] = system
    stored = message.attributes
    attributes = rules.shown_attributes(stored, given.get("MessageAttributeNames") or [])
    if attributes:
        chosen = {name: stored[name] for name in attributes}
        shown |= {"MessageAttributes": attributes, "MD5OfMessageAttributes": md5_of_attributes(chosen)}
    return shown


def _system(message: QueuedMessage) -> dict[str, str]:
    first = message.first_received if message.first_received is not None else message.sent
    found = {
        "SenderId": message.sender,
        "SentTimestamp": str(int(message.sent * 1000)),
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(int(first * 1000)),
    }
    return found | ({"DeadLetterQueueSourceArn": queue_arn(message.source)} if message.source else {})
