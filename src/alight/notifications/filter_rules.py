"""Is this a filter policy? SNS's own rules, limits and words, so that a bad policy is refused when it is set."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from alight.notifications.filters import BODY_SCOPE
from alight.parsed import parsed

MOST_KEYS = 5
MOST_COMBINATIONS = 150
MOST_BYTES = 256 * 1024

_UPPER = ("<", "<=")
_LOWER = (">", ">=")


class PolicyError(ValueError):
    """What is wrong with a policy, in SNS's words."""


class NestedPolicyError(PolicyError):
    """Filter policy scope MessageAttributes does not support nested filter policy"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def read_policy(text: str, scope: str) -> dict[str, Any]:
    """Parse and check a policy. Raises `PolicyError`."""
    if len(text.encode()) > MOST_BYTES:
        raise PolicyError("Filter policy is too long")
    try:
        policy = parsed(text)
    except ValueError:
        raise PolicyError("failed to parse JSON.") from None
    if not isinstance(policy, dict):
        raise PolicyError("failed to parse JSON. Filter policy must be an object")
    _check_object(policy, nested=scope == BODY_SCOPE)
    if len(policy) > MOST_KEYS:
        raise PolicyError(f"Filter policy can not have more than {MOST_KEYS} keys")
    if _combinations(policy, 1) > MOST_COMBINATIONS:
        raise PolicyError("Filter policy is too complex")
    return policy


def check_pattern(pattern: Mapping[str, Any]) -> None:
    """A pattern in the same language, with none of the limits of subscriptions. Raises `PolicyError`."""
    _check_object(pattern, nested=True)


def _check_object(policy: Mapping[str, Any], nested: bool) -> None:
    for key, rule in policy.items():
        if key == "$or" and isinstance(rule, list) and rule and all(isinstance(item, dict) for item in rule):
            for alternative in rule:
                _check_object(alternative, nested)
        elif isinstance(rule, dict):
            _check_object(rule, nested)
            if not nested:
                raise NestedPolicyError()
            if not rule:
                raise PolicyError("Empty objects are not allowed")
        elif isinstance(rule, list):
            if not rule:
                raise PolicyError("Empty arrays are not allowed")
            for condition in rule:
                _check_condition(condition)
        else:
            raise PolicyError(f'"{key}" must be an object or an array')


def _check_condition(condition: Any) -> None:
    if isinstance(condition, list):
        raise PolicyError("Match value must be String, number, true, false, or null")
    if not isinstance(condition, dict):
        if isinstance(condition, (int, float)) and not isinstance(condition, bool):
            _check_range(condition)
        return
    if len(condition) != 1:
        raise PolicyError("Only one key allowed in match expression")
    operator, operand = next(iter(condition.items()))
    match operator:
        case "prefix" | "suffix" | "equals-ignore-case":
            _check_text(operator, operand)
        case "anything-but":
            _check_anything_but(operand)
        case "numeric":
            _check_numeric(operand)
        case "exists":
            if not isinstance(operand, bool):
                raise PolicyError("exists match pattern must be either true or false.")
        case "cidr":
            _check_cidr(operand)
        case _:
            raise PolicyError(f"Unrecognized match type {operator}")


def _check_text(operator: str, operand: Any) -> None:
    if not isinstance(operand, str):
        raise PolicyError(f"{operator} match pattern must be a string")


def _check_anything_but(operand: Any) -> None:
    if isinstance(operand, dict):
        if len(operand) != 1:
            raise PolicyError("Only one key allowed in match expression")
        operator, inner = next(iter(operand.items()))
        if operator not in ("prefix", "suffix", "equals-ignore-case"):
            raise PolicyError(f"Unsupported anything-but pattern: {operator}")
        _check_text(operator, inner)
        return
    items = operand if isinstance(operand, list) else [operand]
    if not items:
        raise PolicyError("Empty arrays are not allowed")
    if any(isinstance(item, (list, dict)) or item is None for item in items):
        raise PolicyError("Inside anything but list, start|null|boolean is not supported.")


def _check_numeric(terms: Any) -> None:
    if not isinstance(terms, list):
        raise PolicyError("Value of numeric must be an array.")
    first = terms[0] if terms else "]"
    if not isinstance(first, str) or not terms:
        raise PolicyError(f"Invalid member in numeric match: {first}")
    if first not in ("=", *_UPPER, *_LOWER):
        raise PolicyError(f"Unrecognized numeric range operator: {first}")
    _check_bound(first, terms, 1)
    if len(terms) == 2:
        return
    if first not in _LOWER:
        raise PolicyError("Too many elements in numeric expression")
    second = terms[2]
    if not isinstance(second, str):
        raise PolicyError(f"Bad value in numeric range: {second}")
    if second not in _UPPER:
        raise PolicyError(f"Bad numeric range operator: {second}")
    _check_bound(second, terms, 3)
    if terms[1] >= terms[3]:
        raise PolicyError("Bottom must be less than top")
    if len(terms) > 4:
        raise PolicyError("Too many terms in numeric range expression")


def _check_bound(operator: str, terms: list[Any], index: int) -> None:
    bound = terms[index] if len(terms) > index else None
    if isinstance(bound, bool) or not isinstance(bound, (int, float)):
        raise PolicyError(f"Value of {'equals' if operator == '=' else operator} must be numeric")
    _check_range(bound)


def _check_range(value: float) -> None:
    if not -1e9 <= value <= 1e9:
        raise PolicyError("Value of numeric must be between -1.0E9 and 1.0E9")


def _check_cidr(operand: Any) -> None:
    _check_text("cidr", operand)
    try:
        ipaddress.ip_network(operand, strict=False)
    except ValueError:
        raise PolicyError(f"Malformed CIDR, one '/' required: {operand}") from None


def _combinations(policy: Mapping[str, Any], depth: int) -> int:
    """Product over the keys of conditions times depth; alternatives of `$or` add up."""
    total = 1
    for key, rule in policy.items():
        if isinstance(rule, dict):
            total *= _combinations(rule, depth + 1)
        elif key == "$or" and all(isinstance(item, dict) for item in rule):
            total *= sum(_combinations(alternative, depth) for alternative in rule)
        else:
            total *= len(rule) * depth
    return total
