"""Is a bucket policy public? Pure; by S3's definition, which looks at Allow statements alone.

A statement is public when it speaks of everybody, unless one of its conditions holds it to fixed values of a key that
says where the caller comes from.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from alight.calls import Members
from alight.parsed import parsed
from alight.services.policy_words import listed

#: Keys that tie a caller down, where their values are fixed (no wildcard, no variable).
_FIXING = frozenset(
    {
        "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths", "aws:sourceaccount",
        "aws:sourcearn", "aws:sourceip", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner", "aws:sourcevpc",
        "aws:sourcevpce", "aws:userid", "aws:vpcsourceip", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)  # fmt: skip
#: Operators that say what a value is, not what it is not.
_SAYING = frozenset(
    {
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "ArnEquals",
        "ArnLike",
        "IpAddress",
        "ForAnyValue:StringLike",
    }
)
#: Networks with shorter prefixes hold everybody.
_WIDEST = {4: 8, 6: 32}


def policy_is_public(policy: Members) -> bool:
    """Whether some statement lets everybody in."""
    return any(True for _ in public_statements(policy))


def public_statements(policy: Members) -> Iterator[Members]:
    """The statements that let everybody in."""
    found = policy.get("Statement", [])
    for statement in found if isinstance(found, list) else [found]:
        if isinstance(statement, dict) and statement.get("Effect") == "Allow" and _is_public(statement):
            yield statement


def opened_actions(policy: Members) -> list[str]:
    """What everybody may do, as the policy says it: for people to read."""
    actions: list[str] = []
    for statement in public_statements(policy):
        named = statement.get("Action", [f"all but {name}" for name in listed(statement.get("NotAction", []))])
        actions += [str(action) for action in listed(named) if str(action) not in actions]
    return actions


def _is_public(statement: Members) -> bool:
    return _means_everybody(statement) and not _is_tied(statement.get("Condition") or {})


def _means_everybody(statement: Members) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return principal == "*"
    return any("*" in listed(values) for values in principal.values())


def _is_tied(conditions: Any) -> bool:
    """All conditions have to hold, so one that ties the caller down is enough."""
    if not isinstance(conditions, dict):
        return False
    return any(
        operator in _SAYING and str(key).lower() in _FIXING and _are_fixed(listed(values))
        for operator, tests in conditions.items()
        if isinstance(tests, dict)
        for key, values in tests.items()
    )


def _are_fixed(values: list[Any]) -> bool:
    return bool(values) and all(_is_fixed(str(value)) for value in values)


def _is_fixed(value: str) -> bool:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return not any(mark in value for mark in ("*", "?", "${"))
    return network.prefixlen >= _WIDEST[network.version]


def opening(type_name: str, properties: Members) -> str:
    """What a resource of a template opens to everybody, as a sentence for its plan; empty where it opens nothing."""
    if type_name == "AWS::S3::BucketPolicy":
        actions = opened_actions(_document(properties.get("PolicyDocument")))
        bucket = properties.get("Bucket", "")
        return f"makes the bucket {bucket} public: everybody may {', '.join(actions)}." if actions else ""
    if type_name == "AWS::S3::Bucket" and properties.get("AccessControl") == "PublicRead":
        return "makes the bucket public: everybody may list what is in it."
    return ""


def _document(given: Any) -> Members:
    """A policy of a template, which may be text; nothing where it is none, which is said when it is put."""
    if isinstance(given, str):
        with suppress(ValueError):
            given = parsed(given)
    return given if isinstance(given, dict) else {}
