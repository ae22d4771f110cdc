"""Does a subscriber want this message? SNS's filter policies, pure.

A policy is an object: every key must be matched by at least one condition of its list. Conditions are values (exact
match) or one-key objects: prefix, suffix, anything-but, numeric, exists, equals-ignore-case, cidr. `$or` holds
alternative policies. With scope MessageBody the policy follows the nesting of the message's JSON body.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from alight.notifications.message import Attributes
from alight.parsed import parsed

ATTRIBUTES_SCOPE = "MessageAttributes"
BODY_SCOPE = "MessageBody"
SCOPES = (BODY_SCOPE, ATTRIBUTES_SCOPE)

Policy = Mapping[str, Any]

_MISSING = object()


def wants(policy: Policy, scope: str, body: str, attributes: Attributes) -> bool:
    """Whether a message passes. A body that is no JSON object passes no body policy."""
    if not policy:
        return True
    if scope == BODY_SCOPE:
        try:
            document = parsed(body)
        except ValueError:
            return False
        return isinstance(document, dict) and _matches(policy, document)
    return _matches(policy, _values_of(attributes))


def matches(policy: Policy, document: Mapping[str, Any]) -> bool:
    """Whether every key of a policy finds what it wants in a document."""
    return _matches(policy, document)


def _values_of(attributes: Attributes) -> dict[str, Any]:
    """Attributes as a document: numbers become numbers, arrays lists; binary ones cannot be filtered on."""
    document: dict[str, Any] = {}
    for name, attribute in attributes.items():
        kind, _, custom = attribute["Type"].partition(".")
        text = attribute["Value"]
        if kind == "Number":
            document[name] = _number(text)
        elif kind == "String" and custom == "Array":
            document[name] = _array(text)
        elif kind == "String":
            document[name] = text
    return document


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _array(text: str) -> list[Any]:
    try:
        items = parsed(text)
    except ValueError:
        return []
    return items if isinstance(items, list) else []


def _matches(policy: Policy, document: Mapping[str, Any]) -> bool:
    return all(_key_matches(key, rule, document) for key, rule in policy.items())


def _key_matches(key: str, rule: Any, document: Mapping[str, Any]) -> bool:
    if key == "$or" and _is_alternatives(rule):
        return any(_matches(alternative, document) for alternative in rule)
    value = document.get(key, _MISSING)
    if isinstance(rule, Mapping):
        return any(_matches(rule, inner) for inner in _objects(value))
    return any(_condition_holds(condition, value) for condition in rule)


def _is_alternatives(rule: Any) -> bool:
    return isinstance(rule, list) and len(rule) > 0 and all(isinstance(item, Mapping) for item in rule)


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    """The objects that a nested policy looks into; nothing there looks like an empty object."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, list):
        found = [inner for item in value for inner in _objects(item) if inner]
        return found or [{}]
    return [{}]


def _leaves(value: Any) -> list[Any]:
    if value is _MISSING or isinstance(value, Mapping):
        return []
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _condition_holds(condition: Any, value: Any) -> bool:
    leaves = _leaves(value)
    if isinstance(condition, Mapping) and "exists" in condition:
        return bool(leaves) is condition["exists"]
    return any(_holds(condition, leaf) for leaf in leaves)


def _holds(condition: Any, leaf: Any) -> bool:
    if not isinstance(condition, Mapping):
        return _equal(condition, leaf)
    operator, operand = next(iter(condition.items()))
    return _OPERATORS[operator](operand, leaf)


def _equal(wanted: Any, leaf: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(leaf, bool):
        return wanted is leaf
    if isinstance(wanted, (int, float)):
        return isinstance(leaf, (int, float)) and float(wanted) == float(leaf)
    return type(wanted) is type(leaf) and bool(wanted == leaf)


def _prefix(operand: Any, leaf: Any) -> bool:
    return isinstance(leaf, str) and leaf.startswith(operand)


def _suffix(operand: Any, leaf: Any) -> bool:
    return isinstance(leaf, str) and leaf.endswith(operand)


def _ignore_case(operand: Any, leaf: Any) -> bool:
    return isinstance(leaf, str) and leaf.lower() == operand.lower()


def _anything_but(operand: Any, leaf: Any) -> bool:
    unwanted = operand if isinstance(operand, list) else [operand]
    return not any(_holds(item, leaf) for item in unwanted)


def _numeric(operand: list[Any], leaf: Any) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, (int, float)):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[comparison](leaf, bound) for comparison, bound in pairs)


def _cidr(operand: str, leaf: Any) -> bool:
    if not isinstance(leaf, str):
        return False
    try:
        return ipaddress.ip_address(leaf) in ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda left, right: float(left) == float(right),
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignore_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}
