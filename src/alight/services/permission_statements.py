"""AddPermission and RemovePermission of topics and queues, and what their policies must look like. Pure.

Both services keep such a permission as one statement of the resource's policy, by its label.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from alight.calls import Members
from alight.parsed import parsed
from alight.services.policy_words import OPERATOR, listed, names_somebody, texts

_ACCOUNT = re.compile(r"\d{12}")
_VERSIONS = (None, "2008-10-17", "2012-10-17")


class OutOfScope(ValueError):
    """An action of another service."""


def check_form(text: str, service: str) -> None:
    """Whether `text` is a policy that a topic or queue can have. Raises `ValueError` with what is wrong."""
    policy = parsed(text)
    if not isinstance(policy, dict) or policy.get("Version") not in _VERSIONS or not policy.get("Statement"):
        raise ValueError("a policy is an object with a Version and a Statement")
    for statement in listed(policy["Statement"]):
        _check_statement(statement, service)


def _check_statement(statement: Any, service: str) -> None:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise ValueError("each statement has an Effect, Allow or Deny")
    if not names_somebody(statement.get("Principal", statement.get("NotPrincipal"))):
        raise ValueError("each statement has a Principal")
    actions = texts(statement.get("Action", statement.get("NotAction")))
    resources = texts(statement.get("Resource", statement.get("NotResource", "*")))
    if not actions or not resources:
        raise ValueError("each statement has an Action and a Resource")
    if not all(action == "*" or action.lower().startswith(f"{service}:") for action in actions):
        raise OutOfScope
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict) or not all(isinstance(tests, dict) for tests in conditions.values()):
        raise ValueError("a Condition is an object of operators")
    for operator in conditions:
        if not OPERATOR.fullmatch(operator):
            raise ValueError(f"{operator} is no condition operator")


def statements_of(policy: Members) -> list[Members]:
    return list(listed(policy.get("Statement") or []))


def has_label(policy: Members, label: str) -> bool:
    return any(statement.get("Sid") == label for statement in statements_of(policy))


def with_statement(
    policy: Members, label: str, accounts: Sequence[str], actions: Sequence[str], resource: str
) -> Members:
    """The policy and one more statement: these accounts (12 digits) may do these actions to `resource`."""
    named = [f"arn:aws:iam::{account}:root" for account in accounts]
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": named[0] if len(named) == 1 else named},
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": resource,
    }
    return {**policy, "Statement": [*statements_of(policy), statement]}


def without_statement(policy: Members, label: str) -> Members:
    return {**policy, "Statement": [one for one in statements_of(policy) if one.get("Sid") != label]}


def is_account(text: str) -> bool:
    return _ACCOUNT.fullmatch(text) is not None
