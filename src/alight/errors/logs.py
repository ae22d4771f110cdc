"""Faults of the log service."""

from __future__ import annotations

from alight.errors import Fault


class ResourceNotFoundException(Fault):
    """The specified resource does not exist."""

    status = 400


class ResourceAlreadyExistsException(Fault):
    """The specified resource already exists."""

    status = 400


class LimitExceededException(Fault):
    """You have reached the maximum number of resources that can be created."""

    status = 400


class SessionTimeoutException(Fault):
    """The session has timed out."""

    status = 400


class InvalidParameterException(Fault):
    """A parameter is specified incorrectly."""

    status = 400
