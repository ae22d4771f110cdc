"""What a bucket policy has to look like, in S3's words where it does not. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from alight.calls import Members
from alight.errors.s3 import MalformedPolicy
from alight.parsed import parsed
from alight.services.policy_words import OPERATOR, listed, names_somebody, texts

LARGEST = 20 * 1024

_FIELDS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_FIELDS = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_VERSIONS = (None, "2008-10-17", "2012-10-17")
_ACTION = re.compile(r"\*|s3:[A-Za-z*?]+", re.IGNORECASE)
_RESOURCE = re.compile(r"arn:aws:s3:::(?P<bucket>[^/]+)(?P<key>/.*)?|(?P<all>\*)", re.DOTALL)
_OF_OBJECTS = re.compile(
    r"s3:(get|put|delete)object(version)?(acl|tagging|attributes)?|s3:restoreobject|s3:abortmultipartupload|"
    r"s3:listmultipartuploadparts"
)
_OF_BUCKETS = re.compile(r"s3:(get|put|delete|create)bucket[a-z]*|s3:listbucket[a-z]*|s3:deletebucket")


def read_policy(text: str, bucket: str) -> Members:
    """The document that `text` is, as a policy of `bucket`. Raises `MalformedPolicy`."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise MalformedPolicy(f"Normalized policy document exceeds the maximum allowed size of {LARGEST} bytes.")
    try:
        policy = parsed(text) if text.startswith("{") else None
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise MalformedPolicy
    _only(policy, _FIELDS)
    if policy.get("Version") not in _VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    if "Statement" not in policy:
        raise MalformedPolicy("Missing required field Statement")
    statements = listed(policy["Statement"])
    if not statements:
        raise MalformedPolicy("Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check_statement(statement, bucket)
    return policy


def _check_statement(statement: Any, bucket: str) -> None:
    if not isinstance(statement, dict):
        raise MalformedPolicy("Invalid policy syntax.")
    _only(statement, _STATEMENT_FIELDS)
    if "Effect" not in statement:
        raise MalformedPolicy("Missing required field Effect")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise MalformedPolicy(f"Invalid effect: {statement['Effect']}")
    if not names_somebody(_one_of(statement, "Principal")):
        raise MalformedPolicy("Invalid principal in policy")
    actions = texts(_one_of(statement, "Action"))
    if not actions or not all(_ACTION.fullmatch(action) for action in actions):
        raise MalformedPolicy("Policy has invalid action")
    _check_resources(statement, actions, bucket)
    _check_conditions(statement.get("Condition", {}))


def _one_of(statement: Members, name: str) -> Any:
    """The value of a field or of its negation: one of them has to be there, and not both."""
    if name in statement and f"Not{name}" in statement:
        raise MalformedPolicy(f"Statement contains both {name} and Not{name}")
    if name not in statement and f"Not{name}" not in statement:
        raise MalformedPolicy(f"Missing required field {name}")
    return statement.get(name, statement.get(f"Not{name}"))


def _check_resources(statement: Members, actions: list[str], bucket: str) -> None:
    found = [_RESOURCE.fullmatch(text) for text in texts(_one_of(statement, "Resource"))]
    if not found:
        raise MalformedPolicy("Policy has invalid resource")
    of_objects = of_buckets = False
    for resource in found:
        if resource is None or not (resource["all"] or fnmatchcase(bucket, resource["bucket"].replace("[", "[[]"))):
            raise MalformedPolicy("Policy has invalid resource")
        wild = resource["all"] or "*" in resource["bucket"]
        of_objects = bool(of_objects or wild or resource["key"])
        of_buckets = bool(of_buckets or wild or not resource["key"])
    if "Resource" not in statement or "Action" not in statement:
        return
    for action in actions:
        if (_OF_OBJECTS.fullmatch(action.lower()) and not of_objects) or (
            _OF_BUCKETS.fullmatch(action.lower()) and not of_buckets
        ):
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def _check_conditions(conditions: Any) -> None:
    if not isinstance(conditions, dict) or not all(isinstance(tests, dict) for tests in conditions.values()):
        raise MalformedPolicy("Invalid policy syntax.")
    for operator, tests in conditions.items():
        if not OPERATOR.fullmatch(operator):
            raise MalformedPolicy(f"Invalid Condition type : {operator}")
        for key, values in tests.items():
            if not key.lower().startswith(("aws:", "s3:")):
                raise MalformedPolicy(f"Policy has an invalid condition key - {key}")
            if not all(isinstance(value, str | int | float | bool) for value in listed(values)):
                raise MalformedPolicy("Invalid policy syntax.")


def _only(found: Members, known: frozenset[str]) -> None:
    for name in found:
        if name not in known:
            raise MalformedPolicy(f"Unknown field {name}")
