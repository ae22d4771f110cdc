"""Policy documents, evaluated: pure, and closed where something cannot be understood.

An explicit Deny wins, then any Allow, else no. What cannot be read (an unknown condition operator, a broken
statement) never matches as Allow and always matches as Deny.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from alight.calls import Members

Context = Mapping[str, str]


def allowed(policies: Sequence[Members], action: str, resource: str, context: Context) -> bool:
    """May this action (`s3:GetObject`) be done to this resource (an ARN)? `policies` are whole documents."""
    return _decide([item for policy in policies for item in _statements(policy)], action, resource, context)


def everybody_may(policy: Members, action: str, resource: str, context: Context) -> bool:
    """The same for a resource's own policy and a caller without a name: only Principal `*` speaks of that."""
    public = [item for item in _statements(policy) if item.get("Effect") != "Allow" or _is_everybody(item)]
    return _decide(public, action, resource, context)


def service_may(policy: Members, service: str, action: str, resource: str, context: Context) -> bool:
    """The same for another service that acts on its own: only statements that name it, or everybody, speak of that."""
    named = [item for item in _statements(policy) if _is_everybody(item) or service in _services(item)]
    return _decide(named, action, resource, context)


def _services(statement: Members) -> list[Any]:
    principal = statement.get("Principal")
    return _listed(principal.get("Service")) if isinstance(principal, dict) else []


def _decide(statements: list[Members], action: str, resource: str, context: Context) -> bool:
    keys = {name.lower(): value for name, value in context.items()}
    is_allowed = False
    for statement in statements:
        match statement.get("Effect"):
            case "Allow" if not is_allowed:
                is_allowed = _matches(statement, action, resource, keys, unsure=False)
            case "Deny" if _matches(statement, action, resource, keys, unsure=True):
                return False
    return is_allowed


def _statements(policy: Members) -> list[Members]:
    found = policy.get("Statement", [])
    return [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, dict)]


def _is_everybody(statement: Members) -> bool:
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    return named == "*" or (isinstance(named, list) and "*" in named)


def _matches(statement: Members, action: str, resource: str, keys: Context, *, unsure: bool) -> bool:
    """`unsure` is the answer where the statement cannot be understood."""
    try:
        return (
            _covers(statement, "Action", lambda pattern: _like(pattern.lower(), action.lower()))
            and _covers(statement, "Resource", lambda pattern: _covers_arn(pattern, resource, keys))
            and _conditions_hold(statement.get("Condition", {}), keys)
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return unsure


def _covers(statement: Members, name: str, matches: Callable[[str], bool]) -> bool:
    if name in statement:
        return any(matches(pattern) for pattern in _listed(statement[name]))
    return not any(matches(pattern) for pattern in _listed(statement["Not" + name]))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# Patterns ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(part) or re.escape(_UNLITERAL.get(part, part)) for part in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _like(pattern: str, text: str) -> bool:
    return _compiled(re.sub(r"\*+", "*", pattern)).fullmatch(text) is not None


def _covers_arn(pattern: str, resource: str, keys: Context) -> bool:
    filled = _filled(pattern, keys)
    return filled is not None and _arn_like(filled, resource)


def _arn_like(pattern: str, resource: str) -> bool:
    """Wildcards stay within one of an ARN's first five parts; in the last one they match anything."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), resource.split(":", 5)
    if len(given) != 6:
        return _like(pattern, resource)
    return len(wanted) == 6 and all(_like(part, value) for part, value in zip(wanted, given, strict=True))


_VARIABLE = re.compile(r"\$\{([^}]*)\}")
#: `${*}`, `${?}` and `${$}` stand for the characters themselves; as patterns they would say more than was meant.
_LITERAL = {"*": "\ue000", "?": "\ue001", "$": "$"}
_UNLITERAL = {literal: name for name, literal in _LITERAL.items()}


def _filled(pattern: str, keys: Context) -> str | None:
    """With policy variables put in; None where one has no value (the pattern then matches nothing)."""
    if "${" not in pattern:
        return pattern
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = found[1].partition(",")
        if name in _LITERAL:
            return _LITERAL[name]
        known = keys.get(name.strip().lower(), default.strip(" '") or None)
        missing = missing or known is None
        return (known or "").replace("*", _LITERAL["*"]).replace("?", _LITERAL["?"])

    filled = _VARIABLE.sub(value, pattern)
    return None if missing else filled


# Conditions ----------------------------------------------------------------------------------------------------------

Test = Callable[[str, str], bool]


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _in_network(wanted: str, given: str) -> bool:
    return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)


_POSITIVE: dict[str, Test] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringEqualsIgnoreCase": lambda wanted, given: wanted.lower() == given.lower(),
    "StringLike": _like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "BinaryEquals": lambda wanted, given: wanted == given,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
    "IpAddress": _in_network,
    "NumericEquals": lambda wanted, given: float(given) == float(wanted),
    "NumericLessThan": lambda wanted, given: float(given) < float(wanted),
    "NumericLessThanEquals": lambda wanted, given: float(given) <= float(wanted),
    "NumericGreaterThan": lambda wanted, given: float(given) > float(wanted),
    "NumericGreaterThanEquals": lambda wanted, given: float(given) >= float(wanted),
    "DateEquals": lambda wanted, given: _moment(given) == _moment(wanted),
    "DateLessThan": lambda wanted, given: _moment(given) < _moment(wanted),
    "DateLessThanEquals": lambda wanted, given: _moment(given) <= _moment(wanted),
    "DateGreaterThan": lambda wanted, given: _moment(given) > _moment(wanted),
    "DateGreaterThanEquals": lambda wanted, given: _moment(given) >= _moment(wanted),
}

#: Operator -> the one it denies.
_NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}


def _conditions_hold(conditions: Mapping[str, Any], keys: Context) -> bool:
    """All must hold; the values of one key are alternatives. Raises where an operator is not known."""
    return all(
        _holds(operator, name, [_text(value) for value in _listed(wanted)], keys)
        for operator, tests in conditions.items()
        for name, wanted in tests.items()
    )


def _holds(operator: str, name: str, wanted: list[str], keys: Context) -> bool:
    quantifier, _, base = operator.rpartition(":")
    if quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise ValueError(operator)
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    given = keys.get(name.lower())
    if base == "Null":
        return any((given is None) == (value.lower() == "true") for value in wanted)
    positive = _NEGATIVE.get(base, base)
    test = _POSITIVE[positive]
    if given is None:
        return if_exists or quantifier == "ForAllValues" or (base in _NEGATIVE and quantifier != "ForAnyValue")
    filled = [value for value in (_filled(text, keys) for text in wanted) if value is not None]
    if test not in (_like, _arn_like):
        filled = ["".join(_UNLITERAL.get(part, part) for part in value) for value in filled]
    return any(test(value, given) for value in filled) != (base in _NEGATIVE)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
