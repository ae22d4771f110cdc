"""What a topic puts into a queue: only where the queue's own policy lets SNS in on behalf of that topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alight.errors.common import AccessDenied
from alight.names import parse_arn
from alight.notifications.channels.queue import SendQueue
from alight.services.resource_policies import SEND, SNS, ResourcePolicies
from alight.services.sqs import Sqs
from alight.store.database import Tx


def from_topics(policies: ResourcePolicies, sqs: Sqs) -> SendQueue:
    """The way of deliveries into queues: raises `QueueDoesNotExist`, and `AccessDenied` where the queue is closed."""

    def send(tx: Tx, queue: str, body: str, attributes: Mapping[str, Any], topic: str, cause: str) -> None:
        sqs.require(parse_arn(queue).resource, tx)
        if not policies.admits(SNS, SEND, queue, topic, tx):
            raise AccessDenied(
                f"the policy of {queue} does not let {SNS} do {SEND} for {topic}: "
                "set the queue's attribute Policy (or AWS::SQS::QueuePolicy) to one that does."
            )
        sqs.send(tx, queue, body, attributes, cause)

    return send
