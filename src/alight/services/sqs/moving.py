"""Message move tasks: dead letters go back where they came from, or to another queue, while others use both.

A task is a record. Each step moves some messages and says so in the record in one transaction, so that a task that a
crash interrupted goes on at the next start, and no message is moved twice.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.sqs import InvalidParameterValue, ResourceNotFoundException
from alight.names import new_request_id, parse_arn, queue_arn
from alight.parsed import parsed
from alight.services.sqs.queues import KIND as QUEUE
from alight.services.sqs.queues import MOVE as KIND
from alight.services.sqs.queues import QueueOperations
from alight.store.database import Database, Tx
from alight.store.queues import QueueStore
from alight.store.records import Records

log = logging.getLogger(__name__)

RUNNING, COMPLETED, CANCELLED, FAILED = "RUNNING", "COMPLETED", "CANCELLED", "FAILED"

#: Messages of one step, where nobody asks for a slower pace; so that others get their turn.
STEP = 100
MOST_PER_SECOND = 500
MOST_RESULTS = 10
#: Ended tasks of one queue that are remembered.
MOST_KEPT = 10


class MoveOperations:
    """StartMessageMoveTask and its kind; `resume` goes on with what the last run left, `close` before the database."""

    def __init__(
        self, database: Database, records: Records, queues: QueueOperations, store: QueueStore, clock: Clock
    ) -> None:
        self._database = database
        self._records = records
        self._queues = queues
        self._store = store
        self._clock = clock
        self._moving: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """At start: go on with every task that was running."""
        for record in self._records.list(KIND, limit=1_000_000):
            if record.body["Status"] == RUNNING:
                self._begin(record.name)

    async def close(self) -> None:
        for task in self._moving:
            task.cancel()
        await asyncio.gather(*self._moving, return_exceptions=True)

    async def start(self, call: Call, given: Members) -> Members:
        source = self._existing(given["SourceArn"], "SourceArn")
        target = given.get("DestinationArn") or ""
        if target:
            self._existing(target, "DestinationArn")
        rate = given.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= rate <= MOST_PER_SECOND:
            raise InvalidParameterValue(
                f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be >= 1 and <= 500."
            )
        now = self._clock.now()
        # The name begins with the time, so that a queue's tasks are listed in the order of their beginning.
        name = f"{source}:{int(now * 1_000):013x}-{new_request_id()}"
        waiting = self._store.counts(source, now, self._queues.oldest(self._queues.named(source))).visible

        def job(tx: Tx) -> None:
            if not self._queues.sources_of(source, tx=tx):
                raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
            known = self._records.list(KIND, f"{source}:", limit=MOST_KEPT + 1, tx=tx)
            if any(record.body["Status"] == RUNNING for record in known):
                raise InvalidParameterValue(
                    "There is already a task running. Only one active task is allowed for a source queue arn at a "
                    "given time."
                )
            for record in known[:-MOST_KEPT]:
                self._records.delete(tx, KIND, record.name)
            body = {
                "Status": RUNNING,
                "Target": target,
                "Rate": rate,
                "Moved": 0,
                "ToMove": waiting,
                "Started": now,
                "Reason": "",
                "Last": self._store.last(tx, source),
            }
            self._records.put(tx, KIND, name, body)

        await self._database.write(job)
        self._begin(name)
        return {"TaskHandle": _handle(name)}

    async def cancel(self, call: Call, given: Members) -> Members:
        name = _name(given["TaskHandle"])

        def job(tx: Tx) -> int:
            record = self._records.get(KIND, name, tx)
            if record is None:
                raise ResourceNotFoundException("Task does not exist.")
            if record.body["Status"] != RUNNING:
                raise InvalidParameterValue("Only active tasks can be cancelled.")
            self._records.put(tx, KIND, name, record.body | {"Status": CANCELLED})
            return int(record.body["Moved"])

        return {"ApproximateNumberOfMessagesMoved": await self._database.write(job)}

    async def list(self, call: Call, given: Members) -> Members:
        """Newest first."""
        source = self._existing(given["SourceArn"], "SourceArn")
        limit = given.get("MaxResults") or 1
        if not 1 <= limit <= MOST_RESULTS:
            raise InvalidParameterValue(
                f"Value {limit} for parameter MaxResults is invalid. Reason: Must be >= 1 and <= 10."
            )
        found = self._records.list(KIND, f"{source}:", limit=MOST_KEPT + 1)
        return {"Results": [_shown(record.name, record.body) for record in reversed(found)][:limit]}

    def _existing(self, arn: str, member: str) -> str:
        """The name of the queue that an ARN names."""
        try:
            name = parse_arn(arn).resource
        except ValueError:
            name = ""
        if not name or arn != queue_arn(name) or self._records.get(QUEUE, name) is None:
            raise ResourceNotFoundException(
                f"The resource that you specified for the {member} parameter doesn't exist."
            )
        return name

    def _begin(self, name: str) -> None:
        task = asyncio.create_task(self._run(name), name=f"move {name}")
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    async def _run(self, name: str) -> None:
        try:
            while await self._database.write(lambda tx: self._step(tx, name)):
                record = self._records.get(KIND, name)
                await self._clock.sleep(1.0 if record and record.body["Rate"] else 0.0)
        except Exception:
            log.exception("the move of messages %s stopped; it goes on at the next start", name)

    def _step(self, tx: Tx, name: str) -> bool:
        """Move some messages. False where the task has ended."""
        record = self._records.get(KIND, name, tx)
        source = self._records.get(QUEUE, name.partition(":")[0], tx)
        if record is None or record.body["Status"] != RUNNING:
            return False
        body = dict(record.body)
        if source is None:
            return self._end(tx, name, body, FAILED, "AWS.SimpleQueueService.NonExistentQueue")
        queue, now = self._queues.named(source.name, tx), self._clock.now()
        limit = body["Rate"] or STEP
        found = self._store.movable(
            tx, queue.name, now=now, oldest=self._queues.oldest(queue), last=body["Last"], limit=limit
        )
        for message in found:
            target = parse_arn(body["Target"]).resource if body["Target"] else message.source
            if not target:
                return self._end(tx, name, body, FAILED, "CouldNotDetermineMessageSource")
            if self._records.get(QUEUE, target, tx) is None:
                return self._end(tx, name, body, FAILED, "AWS.SimpleQueueService.NonExistentQueue")
            self._store.resend(tx, message, target, new_request_id(), now)
            body["Moved"] += 1
        if len(found) < limit:
            return self._end(tx, name, body, COMPLETED)
        self._records.put(tx, KIND, name, body)
        return True

    def _end(self, tx: Tx, name: str, body: dict[str, Any], status: str, reason: str = "") -> bool:
        self._records.put(tx, KIND, name, body | {"Status": status, "Reason": reason})
        return False


def _handle(name: str) -> str:
    queue, _, task = name.partition(":")
    return base64.b64encode(json.dumps({"taskId": task, "sourceArn": queue_arn(queue)}).encode()).decode()


def _name(handle: str) -> str:
    """The record that a handle means. Raises `InvalidParameterValue`."""
    try:
        read = parsed(base64.b64decode(handle, validate=True))
        return f"{parse_arn(read['sourceArn']).resource}:{read['taskId']}"
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise InvalidParameterValue("Value for parameter TaskHandle is invalid.") from None


def _shown(name: str, body: Members) -> Members:
    shown: Members = {
        "Status": body["Status"],
        "SourceArn": queue_arn(name.partition(":")[0]),
        "ApproximateNumberOfMessagesMoved": body["Moved"],
        "ApproximateNumberOfMessagesToMove": body["ToMove"],
        "StartedTimestamp": int(body["Started"] * 1_000),
    }
    extra = {
        "TaskHandle": _handle(name) if body["Status"] == RUNNING else "",
        "DestinationArn": body["Target"],
        "MaxNumberOfMessagesPerSecond": body["Rate"],
        "FailureReason": body["Reason"],
    }
    return shown | {key: value for key, value in extra.items() if value}
