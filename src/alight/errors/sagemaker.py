"""What SageMaker answers when a model cannot be described, deployed or asked.

The control plane says `ValidationException`, the runtime says `ValidationError`: AWS's own difference.
"""

from __future__ import annotations

from alight.errors import Fault


class ValidationException(Fault):
    """The input fails to satisfy the constraints of the operation."""

    status = 400


class ResourceNotFound(Fault):
    """The resource was not found."""

    status = 400


class ResourceInUse(Fault):
    """The resource is in use."""

    status = 400


class ValidationError(Fault):
    """The request cannot be served as it was given."""

    status = 400


class ModelError(Fault):
    """The model answered with an error. Members: OriginalStatusCode, OriginalMessage, LogStreamArn."""

    status = 424


class ModelStreamError(Fault):
    """The model's answer broke off while it was streamed. Member: ErrorCode."""

    status = 400


class ModelNotReadyException(Fault):
    """The model is not ready to answer yet."""

    status = 429


class ServiceUnavailable(Fault):
    """The endpoint has more requests waiting than it may hold. Try again later."""

    status = 503


class InternalFailure(Fault):
    """The endpoint failed for a reason of its own."""

    status = 500


class InternalDependencyException(Fault):
    """Something the endpoint depends on failed."""

    status = 530


class RequestEntityTooLarge(Fault):
    """The request is larger than an endpoint takes."""

    status = 413
