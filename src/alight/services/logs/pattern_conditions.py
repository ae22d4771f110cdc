"""Conditions of filter patterns: comparisons joined by && and ||, with parentheses (pure).

any        = all ("||" all)*
all        = one ("&&" one)*
one        = "(" any ")" | place sign value | place "IS" ("NULL" | "TRUE" | "FALSE") | place "NOT" "EXISTS"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from alight.services.logs.pattern_values import comparison, invalid

#: What is at a place: none or several values where the place has a wildcard.
Find = Callable[[Any], Sequence[Any]]
Condition = Callable[[Any], bool]

#: Conditions inside each other, at the most.
DEEPEST = 20
MOST_REGEX = 2

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<bracket>[()])
      | (?P<joint>&&|\|\|)
      | (?P<sign>!=|<=|>=|=|<|>)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | %(?P<regex>(?:[^%\\]|\\.)*)%
      | (?P<place>\$(?:\.?\[\s*(?:"[^"]*"|'[^']*'|\d+|\*)\s*\]|\.[^\s()&|=<>!,"\[\]]+)*)
      | (?P<bare>[^\s()&|=<>!,"]+)
    )""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """A piece of a condition."""

    kind: str
    text: str


def tokens(text: str) -> list[Token]:
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise invalid(f"{text[place:].strip()!r} cannot be read.")
        token = Token(match.lastgroup, match[match.lastgroup])
        if token.kind == "quoted":
            token = Token("quoted", re.sub(r"\\(.)", r"\1", token.text))
        found.append(token)
        place = match.end()
    return found


class Conditions:
    """Reads one condition; `place` turns a place's text into what finds its values."""

    def __init__(self, text: str, place: Callable[[Token], Find]) -> None:
        self._tokens = tokens(text)
        self._next = 0
        self._place = place
        if sum(token.kind == "regex" for token in self._tokens) > MOST_REGEX:
            raise invalid(f"there are more than {MOST_REGEX} regular expressions.")

    def read(self) -> Condition:
        condition = self._any(0)
        if self._next < len(self._tokens):
            raise invalid(f"{self._tokens[self._next].text!r} is not expected.")
        return condition

    def _any(self, depth: int) -> Condition:
        parts = [self._all(depth)]
        while self._take("joint", "||"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else lambda subject: any(part(subject) for part in parts)

    def _all(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._take("joint", "&&"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda subject: all(part(subject) for part in parts)

    def _one(self, depth: int) -> Condition:
        if self._take("bracket", "("):
            if depth >= DEEPEST:
                raise invalid("its parentheses are too deep.")
            condition = self._any(depth + 1)
            if not self._take("bracket", ")"):
                raise invalid("a parenthesis is not closed.")
            return condition
        find = self._place(self._any_token())
        if self._take("bare", "IS"):
            return self._is(find)
        if self._take("bare", "NOT"):
            if not self._take("bare", "EXISTS"):
                raise invalid("NOT is followed by EXISTS.")
            return lambda subject: not find(subject)
        sign, value = self._any_token(), self._any_token()
        if sign.kind != "sign" or value.kind not in ("quoted", "regex", "bare"):
            raise invalid(f"{sign.text!r} {value.text!r} is no comparison.")
        test = comparison(sign.text, value.text, value.kind)
        return lambda subject: any(
            test(found) for found in find(subject) if found is not None and not isinstance(found, dict | list)
        )

    def _is(self, find: Find) -> Condition:
        word = self._any_token().text
        if word not in _WORDS:
            raise invalid("IS is followed by NULL, TRUE or FALSE.")
        wanted = _WORDS[word]
        return lambda subject: any(found is wanted for found in find(subject))

    def _take(self, kind: str, text: str) -> bool:
        is_there = self._next < len(self._tokens) and self._tokens[self._next] == Token(kind, text)
        self._next += is_there
        return is_there

    def _any_token(self) -> Token:
        if self._next >= len(self._tokens):
            raise invalid("it ends too early.")
        self._next += 1
        return self._tokens[self._next - 1]


_WORDS: dict[str, Any] = {"NULL": None, "TRUE": True, "FALSE": False}
