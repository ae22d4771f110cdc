"""Faults of the metric service."""

from __future__ import annotations

from alight.errors import Fault


class InvalidParameterCombination(Fault):
    """Parameters were used together that must not be used together."""

    status = 400


class InvalidParameterValue(Fault):
    """The value of an input parameter is bad or out-of-range."""

    status = 400


class InvalidFormat(Fault):
    """Data was not syntactically valid JSON."""

    status = 400


class InvalidNextToken(Fault):
    """The next token specified is invalid."""

    status = 400


class MissingParameter(Fault):
    """An input parameter that is required is missing."""

    status = 400


class ResourceNotFound(Fault):
    """The named resource does not exist."""

    status = 404
