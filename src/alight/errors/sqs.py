"""Faults of queues (SQS).

`query_code` is the code that clients of the older query protocol know; the JSON protocol carries it in the header
`x-amzn-query-error`, and botocore shows it in `Error.Code`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from alight.errors import Fault


class QueueFault(Fault):
    """The request cannot be processed."""

    status = 400
    query_code: ClassVar[str] = "QueueFault"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "query_code" not in cls.__dict__:
            cls.query_code = cls.code


class BatchEntryIdsNotDistinct(QueueFault):
    """Two or more batch entries in the request have the same Id."""

    query_code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"


class BatchRequestTooLong(QueueFault):
    """Batch requests cannot be longer than 1048576 bytes."""

    query_code = "AWS.SimpleQueueService.BatchRequestTooLong"


class EmptyBatchRequest(QueueFault):
    """There should be at least one entry in the request."""

    query_code = "AWS.SimpleQueueService.EmptyBatchRequest"


class InvalidAttributeName(QueueFault):
    """Unknown Attribute."""


class InvalidAttributeValue(QueueFault):
    """Invalid value for the parameter."""


class InvalidBatchEntryId(QueueFault):
    """A batch entry id can only contain alphanumeric characters, hyphens and underscores, and at most 80 of them."""

    query_code = "AWS.SimpleQueueService.InvalidBatchEntryId"


class InvalidMessageContents(QueueFault):
    """The message contains characters outside the allowed set."""


class InvalidParameterValue(QueueFault):
    """The request has a parameter with a value that is not allowed."""


class MessageNotInflight(QueueFault):
    """The specified message isn't in flight."""

    query_code = "AWS.SimpleQueueService.MessageNotInflight"


class MissingParameter(QueueFault):
    """The request must contain the parameter."""


class PurgeQueueInProgress(QueueFault):
    """Only one PurgeQueue operation is allowed every 60 seconds."""

    query_code = "AWS.SimpleQueueService.PurgeQueueInProgress"
    status = 403


class QueueDoesNotExist(QueueFault):
    """The specified queue does not exist."""

    query_code = "AWS.SimpleQueueService.NonExistentQueue"


class QueueNameExists(QueueFault):
    """A queue already exists with the same name and a different value for an attribute."""

    query_code = "QueueAlreadyExists"


class ReceiptHandleIsInvalid(QueueFault):
    """The input receipt handle is invalid."""


class ResourceNotFoundException(QueueFault):
    """One or more specified resources don't exist."""

    status = 404


class TooManyEntriesInBatchRequest(QueueFault):
    """Maximum number of entries per request are 10."""

    query_code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"


class UnsupportedOperation(QueueFault):
    """Unsupported operation."""

    query_code = "AWS.SimpleQueueService.UnsupportedOperation"
