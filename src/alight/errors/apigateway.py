"""What API Gateway answers, REST APIs and HTTP APIs alike, when an API cannot be described, changed or deployed."""

from __future__ import annotations

from alight.errors import Fault


class NotFoundException(Fault):
    """The requested resource is not found."""

    status = 404


class ConflictException(Fault):
    """The request configuration has conflicts."""

    status = 409


class BadRequestException(Fault):
    """The submitted request is not valid."""

    status = 400
