"""What an event source mapping may say, in Lambda's words; asked when it is made and changed.

Record body: AWS's members, `Wanted` (whether it is to read), and `Tags`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alight import names
from alight.calls import Members
from alight.errors.common import NotImplemented_, ValidationException
from alight.errors.lambda_ import InvalidParameterValueException, ResourceConflictException, ResourceNotFoundException
from alight.errors.sqs import QueueDoesNotExist
from alight.events.polling import Batching
from alight.services.lambda_ import definitions
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.destination_rules import RoleMay
from alight.services.lambda_.event_filters import read_patterns

KIND = "lambda:event-source-mapping"
REPORTS = "ReportBatchItemFailures"

#: What a function's role needs to read a queue.
ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
#: Member -> (least, most, how AWS's validation calls it).
_RANGES = {
    "BatchSize": (1, 10_000, "batchSize"),
    "MaximumBatchingWindowInSeconds": (0, 300, "maximumBatchingWindowInSeconds"),
    "MaximumConcurrency": (2, 1_000, "scalingConfig.maximumConcurrency"),
}
#: The largest batch that is gathered without a window.
MOST_AT_ONCE = 10
_ELSEWHERE = ("kinesis", "dynamodb", "kafka", "mq", "rds", "docdb-elastic")

#: What a new mapping says of what the request does not.
DEFAULTS: Members = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []}


class MappingRules:
    """Raises Lambda's faults. `hiding(queue ARN)` gives its visibility timeout in seconds."""

    def __init__(self, catalogue: Catalogue, role_may: RoleMay, hiding: Callable[[str], int]) -> None:
        self._catalogue = catalogue
        self._role_may = role_may
        self._hiding = hiding

    def check(self, body: Members) -> None:
        """A mapping as it is going to be: its queue, its function, and what the function's role may."""
        function = self._catalogue.find(body["FunctionArn"])
        if function is None:
            raise _invalid("Function does not exist")
        configuration, queue = function["Configuration"], body["EventSourceArn"]
        role = definitions.role_name(configuration["Role"])
        for action in ACTIONS:
            if not self._role_may(role, action, queue):
                operation = action.partition(":")[2]
                raise _invalid(f"The function execution role does not have permissions to call {operation} on SQS")
        try:
            hidden = self._hiding(queue)
        except QueueDoesNotExist as fault:
            raise _invalid(
                f"Error occurred while ReceiveMessage. SQS Error Code: {fault.query_code}. "
                f"SQS Error Message: {fault.message}"
            ) from None
        if hidden < configuration["Timeout"]:
            raise _invalid(
                f"Queue visibility timeout: {hidden} seconds is less than "
                f"Function timeout: {configuration['Timeout']} seconds"
            )


def check_source(arn: str | None) -> str:
    """The queue's ARN. Raises where it is none, naming what Alight does not offer."""
    try:
        service = names.parse_arn(arn or "").service
    except ValueError:
        service = ""
    if service in _ELSEWHERE:
        raise NotImplemented_(f"Alight does not offer event source mappings for {service}: only for SQS queues.")
    if service != "sqs" or arn is None:
        raise _invalid("Unrecognized event source.")
    return arn


def settings(given: Members, before: Members) -> Members:
    """`before` with what a request says of batches, filters and concurrency. Raises where that is not valid."""
    changed = dict(before)
    for member in ("BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes"):
        if given.get(member) is not None:
            changed[member] = given[member]
    for member in ("FilterCriteria", "ScalingConfig"):
        if given.get(member) is not None:
            # Given empty, it goes.
            changed.pop(member, None)
            changed |= {member: given[member]} if any(given[member].values()) else {}
    _check_ranges(changed)
    _check_types(changed["FunctionResponseTypes"])
    read_patterns(changed.get("FilterCriteria"))
    return changed


def batching(body: Members) -> Batching:
    """What the poller must know."""
    return Batching(
        body["EventSourceArn"],
        body["BatchSize"],
        float(body["MaximumBatchingWindowInSeconds"]),
        body.get("ScalingConfig", {}).get("MaximumConcurrency"),
    )


def _check_ranges(body: Members) -> None:
    values: dict[str, Any] = body | body.get("ScalingConfig", {})
    for member, (least, most, name) in _RANGES.items():
        value = values.get(member)
        if value is None or least <= value <= most:
            continue
        bound = f"greater than or equal to {least}" if value < least else f"less than or equal to {most}"
        raise ValidationException(
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
            f"Member must have value {bound}"
        )
    if body["BatchSize"] > MOST_AT_ONCE and not body["MaximumBatchingWindowInSeconds"]:
        raise _invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than "
            f"{MOST_AT_ONCE}"
        )


def _check_types(types: list[str]) -> None:
    if any(name != REPORTS for name in types):
        raise ValidationException(
            f"1 validation error detected: Value '{types}' at 'functionResponseTypes' failed to satisfy constraint: "
            f"Member must satisfy constraint: [Member must satisfy enum value set: [{REPORTS}]]"
        )


def exists(queue: str, function: str, uuid: str) -> ResourceConflictException:
    return ResourceConflictException(
        f'The event source arn (" {queue} ") and function (" {function} ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {uuid}",
        Type="User",
    )


def not_found() -> ResourceNotFoundException:
    return ResourceNotFoundException("The resource you requested does not exist.", Type="User")


def _invalid(message: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(message, Type="User")
