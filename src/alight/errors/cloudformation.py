"""Faults of stacks (CloudFormation). What is wrong with a request or a template is a `ValidationError` there."""

from __future__ import annotations

from alight.errors import Fault


class AlreadyExistsException(Fault):
    """The resource with the name requested already exists."""

    status = 400


class ChangeSetNotFound(Fault):
    """There is no such change set."""

    status = 404


class InsufficientCapabilitiesException(Fault):
    """The template contains resources with capabilities that weren't specified in the Capabilities parameter."""

    status = 400


class InvalidChangeSetStatus(Fault):
    """The specified change set can't be used to update the stack."""

    status = 400


class TokenAlreadyExistsException(Fault):
    """A client request token already exists."""

    status = 400
