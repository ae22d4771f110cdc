"""Policy documents, evaluated: pure, and closed where something cannot be understood.

An explicit Deny wins, then any Allow, else no. What cannot be read (an unknown condition operator, a broken
statement) never matches as Allow and always matches as Deny. A role's own policies speak of the role; in a resource's
policy each statement says of whom it speaks (`Who`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from alight.calls import Members, Principal
from alight.names import ACCOUNT, role_arn

#: Actions for which the statements of one list of documents are remembered.
ACTIONS = 512
#: Answers of one list that are remembered: few, as each object is another resource, and the lists are others whenever a
#: definition changes.
ANSWERS = 64
#: Condition keys and their values; several of one key (`aws:TagKeys`) are a tuple.
Context = Mapping[str, str | tuple[str, ...]]


class Keys:
    """Condition keys, whatever their case. They are gathered once a statement asks for one: most speak of none."""

    def __init__(self, gather: Callable[[], Context]) -> None:
        self._gather = gather
        self._known: Context | None = None

    def get(self, name: str) -> str | tuple[str, ...] | None:
        """By its name in lower case."""
        if self._known is None:
            self._known = {known.lower(): value for known, value in self._gather().items()}
        return self._known.get(name)


class Verdict(Enum):
    """What policies say of one action; `SILENT` where none of them speaks of it."""

    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Who:
    """The names under which a resource's policy can mean a caller.

    `account` is the caller's account. To name it denies all that it holds, but allows nothing by itself: that hands
    the decision to the caller's own policies, as on AWS.
    """

    names: frozenset[str] = frozenset()
    account: str = ""


class Spoken:
    """Documents that do not change, with their statements by action: of all that a caller has, one or two speak of what
    it does."""

    def __init__(self, policies: Sequence[Members]) -> None:
        self._policies = tuple(policies)
        self._by_action: dict[str, list[Members]] = {}
        self._said: dict[tuple[str, str], Verdict] = {}

    def verdict(self, action: str, resource: str, keys: Keys) -> Verdict:
        """What a caller's own documents say; remembered where action and resource decide alone."""
        said = self._said.get((action, resource))
        if said is None:
            said = verdict(self, action, resource, keys)
            if not any(map(_asks_further, self.of(action))):
                if len(self._said) >= ANSWERS:
                    self._said.clear()
                self._said[action, resource] = said
        return said

    def of(self, action: str) -> list[Members]:
        """The statements that may say something of this action."""
        found = self._by_action.get(action)
        if found is None:
            if len(self._by_action) >= ACTIONS:
                self._by_action.clear()
            statements = (item for policy in self._policies for item in _statements(policy))
            found = self._by_action[action] = [item for item in statements if _may_speak(item, action)]
        return found


#: A caller without a name: only `*` means them.
NOBODY = Who()


def who(principal: Principal) -> Who:
    """The names of a caller who signed."""
    if principal.kind == "anonymous":
        return NOBODY
    return _called(principal.arn, principal.role or "")


@lru_cache(maxsize=256)
def _called(arn: str, role: str) -> Who:
    return Who(frozenset({arn, role_arn(role)} if role else {arn}), _account_arn(ACCOUNT))


def allowed(policies: Sequence[Members], action: str, resource: str, context: Context) -> bool:
    """May this action (`s3:GetObject`) be done to this resource (an ARN)? `policies` are whole documents."""
    return verdict(policies, action, resource, context) is Verdict.ALLOWED


def verdict(
    policies: Sequence[Members] | Spoken, action: str, resource: str, context: Context | Keys,
    caller: Who | None = None, *, denied_only: bool = False,
) -> Verdict:  # fmt: skip
    """What policies say: those of the caller (`caller` None), or those of a resource, about `caller`; `denied_only`
    where it is all the same whether they allow it."""
    keys = context if isinstance(context, Keys) else Keys(lambda: context)
    found = Verdict.SILENT
    for statement in (policies if isinstance(policies, Spoken) else Spoken(policies)).of(action):
        if denied_only and statement.get("Effect") != "Deny":
            continue
        if caller is not None and not _speaks_of(statement, caller):
            continue
        match statement.get("Effect"):
            case "Allow" if found is Verdict.SILENT:
                if _matches(statement, action, resource, keys, unsure=False):
                    found = Verdict.ALLOWED
            case "Deny" if _matches(statement, action, resource, keys, unsure=True):
                return Verdict.DENIED
    return found


def _asks_further(statement: Members) -> bool:
    """Whether a statement may ask for condition keys: in conditions, or for the variables of a pattern."""
    return "Condition" in statement or "${" in repr(statement)


def _statements(policy: Members) -> list[Members]:
    found = policy.get("Statement", [])
    return [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, dict)]


# Principals ----------------------------------------------------------------------------------------------------------

_ROLE = re.compile(r"(arn:aws:iam::\d{12}:role/)(?:.*/)?([^/]+)")


def _speaks_of(statement: Members, caller: Who) -> bool:
    """Whether a statement of a resource's policy is about this caller; one that names nobody can only deny."""
    denies = statement.get("Effect") == "Deny"
    if "Principal" in statement:
        named = _named(statement["Principal"])
        return bool(named & {"*", *caller.names}) or (denies and bool(caller.account) and caller.account in named)
    if "NotPrincipal" in statement:
        return not _named(statement["NotPrincipal"]) & {"*", *caller.names}
    return denies


def _named(principal: Any) -> frozenset[str]:
    """The AWS principals of a statement in one spelling: roles without their path, accounts as their root's ARN."""
    aws = principal.get("AWS", []) if isinstance(principal, dict) else principal
    return frozenset(_spelt(name) for name in _listed(aws) if isinstance(name, str))


def _spelt(name: str) -> str:
    if re.fullmatch(r"\d{12}", name):
        return _account_arn(name)
    role = _ROLE.fullmatch(name)
    return role[1] + role[2] if role else name


def _account_arn(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


# Statements ----------------------------------------------------------------------------------------------------------


def _matches(statement: Members, action: str, resource: str, keys: Keys, *, unsure: bool) -> bool:
    """`unsure` is the answer where the statement cannot be understood."""
    # What is no ARN counts as whatever keeps the statement on the closed side.
    broken = unsure == ("Resource" in statement)
    try:
        return (
            _covers(statement, "Action", lambda pattern: _is_action(pattern, action))
            and _covers(statement, "Resource", lambda pattern: _covers_arn(pattern, resource, keys, broken))
            and _conditions_hold(statement.get("Condition", {}), keys)
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return unsure


def _may_speak(statement: Members, action: str) -> bool:
    """Not where it clearly speaks of other actions; what cannot be understood has to be looked at each time."""
    try:
        return _covers(statement, "Action", lambda pattern: _is_action(pattern, action))
    except (KeyError, ValueError, TypeError, AttributeError):
        return True


def _covers(statement: Members, name: str, matches: Callable[[str], bool]) -> bool:
    named = name in statement
    for pattern in _listed(statement[name if named else "Not" + name]):
        if matches(pattern):
            return named
    return not named


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# Patterns ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _is_action(pattern: str, action: str) -> bool:
    """Both are few, and asked about with every call: what was found out once is kept."""
    return _like(pattern.lower(), action.lower())


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """What stands between two stars is taken where it is first found, and never looked for again: the time grows with
    the text, not with a power of it, whatever pattern somebody has written."""
    first, *others = ("".join(map(_literal, part)) for part in re.sub(r"\*+", "*", pattern).split("*"))
    if not others:
        return re.compile(first, re.DOTALL)
    return re.compile(f"{first}{''.join(f'(?>.*?{part})' for part in others[:-1])}.*{others[-1]}", re.DOTALL)


def _literal(sign: str) -> str:
    return "." if sign == "?" else re.escape(_UNLITERAL.get(sign, sign))


def _like(pattern: str, text: str) -> bool:
    # What is all ASCII means itself, too: the signs that were put in for others (`_UNLITERAL`) are not.
    return (pattern == text and pattern.isascii()) or _compiled(pattern).fullmatch(text) is not None


def _covers_arn(pattern: str, resource: str, keys: Keys, broken: bool) -> bool:
    """`broken` is the answer for a pattern that is neither `*` nor an ARN."""
    if pattern != "*" and pattern.count(":") < 5 and resource.count(":") >= 5:
        return broken
    filled = _filled(pattern, keys)
    return filled is not None and _arn_like(filled, resource)


def _arn_like(pattern: str, resource: str) -> bool:
    """Wildcards stay within one of an ARN's first five parts; in the last one they match anything."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), resource.split(":", 5)
    if len(given) != 6:
        return _like(pattern, resource)
    # The last part is where patterns differ; of the others most are the same words.
    if len(wanted) != 6 or not _like(wanted[5], given[5]):
        return False
    return (wanted[:5] == given[:5] and pattern.isascii()) or all(map(_like, wanted[:5], given[:5]))


_VARIABLE = re.compile(r"\$\{([^}]*)\}")
#: `${*}`, `${?}` and `${$}` stand for the characters themselves; as patterns they would say more than was meant.
_LITERAL = {"*": "\ue000", "?": "\ue001", "$": "$"}
_UNLITERAL = {literal: name for name, literal in _LITERAL.items()}


def _filled(pattern: str, keys: Keys) -> str | None:
    """With policy variables put in; None where one has no value (the pattern then matches nothing)."""
    if "${" not in pattern:
        return pattern
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = found[1].partition(",")
        if name in _LITERAL:
            return _LITERAL[name]
        known = keys.get(name.strip().lower())
        known = known if known is not None else default.strip(" '") or None
        known = known if isinstance(known, str) else None
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


def _conditions_hold(conditions: Mapping[str, Any], keys: Keys) -> bool:
    """All must hold; the values of one key are alternatives. Raises where an operator is not known."""
    return conditions == {} or all(
        _holds(operator, name, [_text(value) for value in _listed(wanted)], keys)
        for operator, tests in conditions.items()
        for name, wanted in tests.items()
    )


def _holds(operator: str, name: str, wanted: list[str], keys: Keys) -> bool:
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
    values, denied = (given,) if isinstance(given, str) else given, base in _NEGATIVE

    def matches(one: str) -> bool:
        return any(test(value, one) for value in filled)

    if quantifier == "ForAllValues":
        return all(matches(one) != denied for one in values)
    if quantifier == "ForAnyValue":
        return any(matches(one) != denied for one in values)
    return any(map(matches, values)) != denied


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
