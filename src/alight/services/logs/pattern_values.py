"""Values of filter patterns: texts with wildcards, numbers, regular expressions; and how they are compared (pure)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from alight.errors.logs import InvalidParameterException
from alight.expressions import Expression, InvalidExpression, compile_expression

#: Whether a value that was found is as wanted.
Test = Callable[[Any], bool]

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
#: What AWS lets stand in a regular expression: no groups.
_REGEX = re.compile(r"(?:[A-Za-z0-9:_#=@/;, ^$?\[\]{}|*+.\-]|\\[\x20-\x7e])*")
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def invalid(why: str) -> InvalidParameterException:
    return InvalidParameterException(f"Invalid filter pattern: {why}")


def compile_regex(text: str) -> Expression:
    """What stood between two `%`. Raises for what AWS refuses, too."""
    if not text or not _REGEX.fullmatch(text):
        raise invalid(f"the regular expression {text!r} has characters that are not supported.")
    try:
        return compile_expression(text)
    except InvalidExpression as error:
        raise invalid(f"the regular expression {text!r} cannot be read: {error}.") from None


def comparison(sign: str, literal: str, kind: str) -> Test:
    """`sign` is one of = != < <= > >=; `kind` says how the literal was written: quoted, regex or bare."""
    if kind == "regex":
        return _regex_test(sign, literal)
    number = float(literal) if kind == "bare" and _NUMBER.fullmatch(literal) else None
    if sign in _ORDERS:
        if number is None:
            raise invalid(f"{literal} is no number, so {sign} cannot be used.")
        order, limit = _ORDERS[sign], number
        return lambda value: (found := as_number(value)) is not None and order(found, limit)
    same = _equality(literal, number)
    return same if sign == "=" else lambda value: not same(value)


def _regex_test(sign: str, text: str) -> Test:
    wanted = compile_regex(text)
    if sign not in ("=", "!="):
        raise invalid(f"a regular expression goes with = or !=, not with {sign}.")
    return lambda value: (wanted.search(as_text(value)) is not None) == (sign == "=")


def _equality(literal: str, number: float | None) -> Test:
    if number is not None:
        limit = number
        return lambda value: (
            as_number(value) == limit if not isinstance(value, str) else _same_text(value, literal, limit)
        )
    if "*" in literal:
        first, *others = map(re.escape, literal.split("*"))
        # What stands between two stars is taken where it is first found: no time that grows with their number's power.
        pattern = re.compile(f"{first}{''.join(f'(?>.*?{part})' for part in others[:-1])}.*{others[-1]}", re.DOTALL)
        return lambda value: pattern.fullmatch(as_text(value)) is not None
    return lambda value: as_text(value) == literal


def _same_text(value: str, literal: str, number: float) -> bool:
    return value == literal or as_number(value) == number


def as_number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    return float(value) if _NUMBER.fullmatch(value) else None


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
