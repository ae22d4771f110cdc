"""Faults that any service may answer."""

from __future__ import annotations

from typing import ClassVar

from alight.errors import Fault


class AccessDenied(Fault):
    """Access Denied"""

    status = 403


class AccessDeniedException(Fault):
    """You do not have sufficient access to perform this action."""

    status = 403


class AuthorizationError(Fault):
    """Indicates that the user has been denied access to the requested resource."""

    status = 403


class InvalidClientTokenId(Fault):
    """The security token included in the request is invalid."""

    status = 403


class NotImplemented_(Fault):
    """Alight does not offer this."""

    code: ClassVar[str] = "NotImplemented"
    status = 501


class ServiceUnavailable(Fault):
    """Please reduce your request rate."""

    status = 503


class ValidationError(Fault):
    """The input fails to satisfy the constraints of the operation."""

    status = 400


class ValidationException(Fault):
    """The input fails to satisfy the constraints of the operation."""

    status = 400
