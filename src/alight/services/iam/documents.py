"""Policy documents: JSON text in, checked as IAM checks it, and out again as IAM shows it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from alight.calls import Members
from alight.errors.iam import MalformedPolicyDocument
from alight.parsed import parsed

_VERSIONS = ("2012-10-17", "2008-10-17")
_KEYS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_KEYS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal"}
)
_ORDERED = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
#: Operators that the gateway evaluates, each also with IfExists, ForAnyValue: and ForAllValues:.
_OPERATORS = frozenset(
    {"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"}
    | {"StringLike", "StringNotLike", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"}
    | {"IpAddress", "NotIpAddress", "Bool", "BinaryEquals", "Null"}
    | {f"{kind}{order}" for kind in ("Numeric", "Date") for order in _ORDERED}
)


def shown(text: str) -> str:
    """A document as the answers carry it: percent-encoded."""
    return quote(text, safe="")


def identity_policy(text: str) -> str:
    """`text` if it is what a role may be given. Raises `MalformedPolicyDocument`."""
    for statement in _statements(text):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise MalformedPolicyDocument("Policy document should not specify a principal.")
        if ("Resource" in statement) == ("NotResource" in statement):
            raise MalformedPolicyDocument("Policy statement must contain resources.")
    return text


def trust_policy(text: str) -> str:
    """`text` if it says who may take a role. Raises `MalformedPolicyDocument`."""
    for statement in _statements(text):
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise MalformedPolicyDocument("Missing required field Principal")
        actions = statement.get("Action", "")
        for action in actions if isinstance(actions, list) else [actions]:
            if not action.lower().startswith("sts:"):
                raise MalformedPolicyDocument("AssumeRole policy may only specify STS AssumeRole actions.")
        if "Resource" in statement or "NotResource" in statement:
            raise MalformedPolicyDocument("Has prohibited field Resource")
    return text


def _statements(text: str) -> list[Members]:
    try:
        document = parsed(text)
    except ValueError:
        raise MalformedPolicyDocument("This policy contains invalid Json") from None
    if not isinstance(document, dict) or not document.keys() <= _KEYS:
        raise MalformedPolicyDocument
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise MalformedPolicyDocument(f"The policy failed legacy parsing: Version {document['Version']!r}.")
    statements = document.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyDocument("Syntax errors in policy: a policy needs at least one statement.")
    for statement in statements:
        _check(statement)
    return statements


def _check(statement: Any) -> None:
    if not isinstance(statement, dict) or not statement.keys() <= _STATEMENT_KEYS:
        raise MalformedPolicyDocument
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicyDocument("Syntax errors in policy: Effect must be Allow or Deny.")
    if ("Action" in statement) == ("NotAction" in statement):
        raise MalformedPolicyDocument("Policy statement must contain actions.")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement and not _texts(statement[name]):
            raise MalformedPolicyDocument(f"Syntax errors in policy: {name} must be text or a list of texts.")
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict):
        raise MalformedPolicyDocument("Syntax errors in policy: Condition must be a mapping.")
    for operator in conditions:
        # An operator that nobody evaluates would open or close doors silently.
        if operator.removesuffix("IfExists").rpartition(":")[2] not in _OPERATORS:
            raise MalformedPolicyDocument(f"Invalid Condition type : {operator}.")


def _texts(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(item, str) for item in values)
