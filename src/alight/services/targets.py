"""Whom a bucket or a function's end can tell: a function, a topic or a queue, each told inside the transaction of what
happened.

All of them have to let S3 in by their own policy, when a bucket is set to tell them and each time it does; functions
have to let a topic in, too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from alight import names
from alight.errors import Fault
from alight.errors.common import AccessDeniedException
from alight.errors.lambda_ import ResourceNotFoundException
from alight.errors.sns import NotFound
from alight.events.match import Rule
from alight.notifications.message import TOPIC, Message
from alight.notifications.topics import Topics
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.invocations import Queue
from alight.services.resource_policies import INVOKE, PUBLISH, QUEUE, S3, SEND, SNS
from alight.store.database import Tx
from alight.store.records import Records

log = logging.getLogger(__name__)

#: (tx, queue ARN, body, message attributes in SQS's members, which function's event has caused it)
SendQueue = Callable[[Tx, str, str, Mapping[str, Any], str], None]

_ACTIONS = {"lambda": INVOKE, "sns": PUBLISH, "sqs": SEND}
NOTHING: Mapping[str, Any] = MappingProxyType({})

#: (service principal, action, ARN, source ARN, tx) -> whether the resource's own policy lets the service in.
Admits = Callable[[str, str, str, str, Tx | None], bool]


class Targets:
    """`emit` tells a target, `refusal` says why one cannot be told by a bucket."""

    def __init__(
        self,
        records: Records,
        catalogue: Catalogue,
        queue: Queue,
        topics: Topics,
        send_queue: SendQueue,
        admits: Admits,
    ) -> None:
        self._records = records
        self._catalogue = catalogue
        self._queue = queue
        self._topics = topics
        self._send_queue = send_queue
        self._admits = admits

    def refusal(self, target: str, bucket: str) -> str | None:
        """Why `bucket` cannot tell `target` (an ARN), in S3's words; None where it can."""
        service = names.parse_arn(target).service
        if (why := self.missing(target)) or self._lets_in(target, bucket):
            return why
        if service == "lambda":
            return f"Not authorized to invoke function [{target}]"
        what = "topic" if service == "sns" else "queue"
        return f"Permissions on the destination {what} do not allow S3 to publish notifications from this bucket"

    def missing(self, target: str) -> str | None:
        """Why `target` (an ARN) cannot be told by anybody, in S3's words; None where it is there."""
        arn = names.parse_arn(target)
        if arn.service == "lambda":
            try:
                found = self._catalogue.find(target) is not None
            except Fault:
                found = False
            return None if found else "The destination Lambda function does not exist"
        kind, name = (TOPIC, target) if arn.service == "sns" else (QUEUE, arn.resource)
        if self._records.get(kind, name) is not None:
            return None
        what = "topic" if kind == TOPIC else "queue"
        return f"The destination {what} does not exist"

    def _lets_in(self, target: str, bucket: str, tx: Tx | None = None) -> bool:
        return self._admits(S3, _ACTIONS[names.parse_arn(target).service], target, names.bucket_arn(bucket), tx)

    def emit(
        self, tx: Tx, target: str, payload: Mapping[str, Any], rule: Rule, source: Mapping[str, Any] = NOTHING
    ) -> str | None:
        """Tell `target` of `payload` once `tx` is durable. The id of the event that a function gets, with `source`
        beside what the payload says of its cause."""
        body, cause = json.dumps(payload), _source(payload)
        service = names.parse_arn(target).service
        if not self._lets_in(target, cause["bucket"], tx):
            # What was deleted or closed since must not keep objects from being stored; S3 drops such events too.
            log.warning("an S3 event was not sent to %s: its policy does not let this bucket in", target)
        elif service == "lambda":
            return self.to_function(tx, target, body.encode(), cause | dict(source))
        elif service == "sns":
            message = Message(topic=target, body=body, subject="Amazon S3 Notification")
            self._topics.publish(tx, message, cause=source.get("cause", ""))
        else:
            self._to_queue(tx, target, body, source.get("cause", ""))
        return None

    def send(
        self, tx: Tx, target: str, body: str, attributes: Mapping[str, tuple[str, str]], source: dict[str, Any]
    ) -> None:
        """Tell `target` of `body`, with `attributes` (name -> data type and text) where it takes some. Raises the
        service's fault where it is gone."""
        match names.parse_arn(target).service:
            case "lambda":
                self._to_known_function(tx, target, body.encode(), source)
            case "sns":
                if self._records.get(TOPIC, target, tx) is None:
                    raise NotFound
                given = {name: {"Type": kind, "Value": text} for name, (kind, text) in attributes.items()}
                self._topics.publish(tx, Message(topic=target, body=body, attributes=given), cause=source.get("of", ""))
            case "sqs":
                members = {name: {"DataType": kind, "StringValue": text} for name, (kind, text) in attributes.items()}
                self._send_queue(tx, target, body, members, source.get("of", ""))

    def _to_queue(self, tx: Tx, target: str, body: str, cause: str) -> None:
        try:
            self._send_queue(tx, target, body, {}, cause)
        except Fault as fault:
            log.warning("an S3 event was not sent to %s: %s", target, fault.message)

    def invoke_from_topic(self, tx: Tx, function: str, payload: bytes, topic: str, cause: str = "") -> None:
        """A topic's delivery to a function: one that is gone or does not let the topic in is its end, as any 4xx."""
        if self._catalogue.find(function, tx) is not None and not self._admits(SNS, INVOKE, function, topic, tx):
            raise AccessDeniedException(
                f"User: {SNS} is not authorized to perform: {INVOKE} on resource: {function} because no resource-based "
                f"policy allows the {INVOKE} action"
            )
        self._to_known_function(
            tx, function, payload, {"kind": "sns", "topic": topic} | ({"cause": cause} if cause else {})
        )

    def _to_known_function(self, tx: Tx, function: str, payload: bytes, source: dict[str, Any]) -> None:
        if self._catalogue.find(function, tx) is None:
            raise ResourceNotFoundException(f"Function not found: {function}")
        self.to_function(tx, function, payload, source)

    def to_function(self, tx: Tx, function: str, payload: bytes, source: dict[str, Any]) -> str:
        made = names.new_request_id()
        self._queue.accept(tx, function, payload, request_id=made, source=source)
        return made


def _source(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What people want to know of an S3 event."""
    records = payload.get("Records") or [{}]
    s3 = records[0].get("s3", {})
    return {
        "kind": "s3",
        "event": records[0].get("eventName", ""),
        "bucket": s3.get("bucket", {}).get("name", "") or payload.get("Bucket", ""),
        "key": s3.get("object", {}).get("key", ""),
        "version": s3.get("object", {}).get("versionId", ""),
    }
