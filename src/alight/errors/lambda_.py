"""Faults of the function service."""

from __future__ import annotations

from alight.errors import Fault


class ResourceNotFoundException(Fault):
    """The resource you requested does not exist."""

    status = 404


class ResourceConflictException(Fault):
    """The resource already exists."""

    status = 409


class InvalidParameterValueException(Fault):
    """One of the parameters in the request is not valid."""

    status = 400


class InvalidRequestContentException(Fault):
    """Could not parse request body into json."""

    status = 400


class RecursiveInvocationException(Fault):
    """Lambda has detected the specified function being invoked in a recursive loop."""

    status = 400


class RequestTooLargeException(Fault):
    """The request payload exceeded the Invoke request body JSON input quota."""

    status = 413


class RequestEntityTooLargeException(Fault):
    """The request is too large."""

    status = 413


class TooManyRequestsException(Fault):
    """Rate Exceeded."""

    status = 429


class PreconditionFailedException(Fault):
    """The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the
    latest Revision Id"""

    status = 412


class ResourceInUseException(Fault):
    """The operation conflicts with the resource's availability."""

    status = 400
