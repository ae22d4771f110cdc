"""Faults of identities (IAM)."""

from __future__ import annotations

from alight.errors import Fault


class NoSuchEntity(Fault):
    """The entity cannot be found."""

    status = 404


class EntityAlreadyExists(Fault):
    """The entity already exists."""

    status = 409


class MalformedPolicyDocument(Fault):
    """Syntax errors in policy."""

    status = 400


class DeleteConflict(Fault):
    """Cannot delete an entity that others depend on."""

    status = 409


class LimitExceeded(Fault):
    """A limit of the account would be exceeded."""

    status = 409


class InvalidInput(Fault):
    """The input is not valid."""

    status = 400


class PolicyNotAttachable(Fault):
    """The policy cannot be attached to this entity."""

    status = 400


class PackedPolicyTooLarge(Fault):
    """The session policies take more space than a session may have."""

    status = 400
