"""Faults of topics (SNS)."""

from __future__ import annotations

from alight.errors import Fault


class AuthorizationError(Fault):
    """User is not authorized to perform this action"""

    status = 403


class BatchEntryIdsNotDistinct(Fault):
    """Two or more batch entries in the request have the same Id."""

    status = 400


class BatchRequestTooLong(Fault):
    """The length of all the batch messages put together is more than the limit."""

    status = 400


class EmptyBatchRequest(Fault):
    """The batch request doesn't contain any entries."""

    status = 400


class InvalidBatchEntryId(Fault):
    """The Id of a batch entry in a batch request doesn't abide by the specification."""

    status = 400


class InvalidParameter(Fault):
    """Invalid parameter"""

    status = 400


class NotFound(Fault):
    """Topic does not exist"""

    status = 404


class ParameterValueInvalid(Fault):
    """Invalid parameter value"""

    status = 400


class ResourceNotFound(Fault):
    """Resource does not exist"""

    status = 404


class SubscriptionLimitExceeded(Fault):
    """Subscription limit exceeded"""

    status = 403


class TooManyEntriesInBatchRequest(Fault):
    """The batch request contains more entries than permissible."""

    status = 400
