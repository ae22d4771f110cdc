"""AddPermission and RemovePermission: what other accounts may do to a queue, as statements of its policy."""

from __future__ import annotations

import json
from collections.abc import Callable

from alight.calls import Call, Members
from alight.errors.sqs import InvalidParameterValue
from alight.services import permission_statements as statements
from alight.services.sqs.queues import Queue, QueueOperations

#: (queue, its policy) -> the policy that it has from then on.
Change = Callable[[Queue, Members], Members]

#: What a queue's owner may grant to others.
ACTIONS = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)


class PermissionOperations:
    """The statements are part of the queue's record."""

    def __init__(self, queues: QueueOperations) -> None:
        self._queues = queues

    async def add_permission(self, call: Call, given: Members) -> Members:
        label, accounts, actions = given["Label"], given["AWSAccountIds"], given["Actions"]
        for action in actions:
            if action not in ACTIONS:
                raise _invalid(f"SQS:{action}", "ActionName", "Only the queue owner is allowed to invoke this action.")
        for account in accounts:
            if not statements.is_account(account):
                raise _invalid(account, "PrincipalId", "Unable to verify.")

        def change(queue: Queue, policy: Members) -> Members:
            if statements.has_label(policy, label):
                raise _invalid(label, "Label", "Already exists.")
            return statements.with_statement(policy, label, accounts, [f"SQS:{name}" for name in actions], queue.arn)

        await self._change(given["QueueUrl"], change)
        return {}

    async def remove_permission(self, call: Call, given: Members) -> Members:
        label = given["Label"]

        def change(queue: Queue, policy: Members) -> Members:
            if not statements.has_label(policy, label):
                raise _invalid(label, "Label", "can't find label on existing policy.")
            return statements.without_statement(policy, label)

        await self._change(given["QueueUrl"], change)
        return {}

    async def _change(self, url: str, change: Change) -> None:
        def settings(queue: Queue) -> dict[str, str]:
            known = queue.settings.get("Policy")
            empty = {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": []}
            changed = change(queue, json.loads(known) if known else empty)
            return {**queue.settings, "Policy": json.dumps(changed) if changed["Statement"] else ""}

        await self._queues.change(url, settings)


def _invalid(value: str, name: str, reason: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"Value {value} for parameter {name} is invalid. Reason: {reason}")
