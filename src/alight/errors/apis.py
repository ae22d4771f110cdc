"""Faults of deployed APIs: what their callers are told. The names are REST's (`x-amzn-ErrorType`); how an HTTP API says
the same stands in `apis/refusals.py`."""

from __future__ import annotations

from typing import ClassVar

from alight.errors import Fault


class MissingAuthenticationTokenException(Fault):
    """Missing Authentication Token"""

    status = 403


class ForbiddenException(Fault):
    """Forbidden"""

    status = 403


class NotFoundException(Fault):
    """Not Found"""

    status = 404


class UnauthorizedException(Fault):
    """Unauthorized"""

    status = 401


class NotAuthorized(Fault):
    """User is not authorized to access this resource"""

    code: ClassVar[str] = "AccessDeniedException"
    status = 403


class BadRequestException(Fault):
    """Invalid request body"""

    status = 400


class RequestTooLargeException(Fault):
    """HTTP content length exceeded 10485760 bytes."""

    status = 413


class EventTooLarge(Fault):
    """Request Entity Too Large"""

    code: ClassVar[str] = "RequestTooLargeException"
    status = 413


class AuthorizerFailed(Fault):
    """The authorizer did not answer as an authorizer has to."""

    code: ClassVar[str] = "AuthorizerConfigurationException"
    status = 500


class IntegrationFailed(Fault):
    """Internal server error"""

    code: ClassVar[str] = "InternalServerErrorException"
    status = 500


class BadAnswer(Fault):
    """Internal server error"""

    code: ClassVar[str] = "InternalServerErrorException"
    status = 502


class IntegrationTimeout(Fault):
    """Endpoint request timed out"""

    code: ClassVar[str] = "InternalServerErrorException"
    status = 504


class IntegrationBusy(Fault):
    """Internal server error"""

    code: ClassVar[str] = "InternalServerErrorException"
    status = 500


class InvalidSignatureException(Fault):
    """The request signature we calculated does not match the signature you provided."""

    status = 403


class UnrecognizedClientException(Fault):
    """The security token included in the request is invalid."""

    status = 403


class ExpiredTokenException(Fault):
    """The security token included in the request is expired"""

    status = 403
