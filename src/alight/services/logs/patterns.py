"""Filter patterns of the log service: which messages a search wants (pure).

Terms are matched case-sensitively and all must appear; `"several words"` is one term, `%regex%` matches, `-term` must
not appear, of `?term`s one is enough where there are no other terms. `{ $.path = value }` looks into messages that are
JSON, `[one, two = value]` at words by their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from alight.parsed import parsed
from alight.services.logs.pattern_conditions import Condition, Conditions, Find, Token
from alight.services.logs.pattern_values import compile_regex, invalid

Wants = Callable[[str], bool]

LONGEST = 1_024
_TERM = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%(?!\S)|(\S+))')
_STEP = re.compile(r"""\.?\[\s*(?:"([^"]*)"|'([^']*)'|(\d+)|(\*))\s*\]|\.([^\s.\[]+)""")
#: A word of a message: in brackets, in quotes, or up to the next blank.
_WORD = re.compile(r'\[([^\]]*)\]|"([^"]*)"|(\S+)')
_FIELD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|%(?:[^%\\]|\\.)*%|[^,"%])*')


def compile_pattern(pattern: str | None) -> Wants:
    """A predicate over messages. Raises InvalidParameterException for what is no pattern."""
    text = (pattern or "").strip()
    if len(text) > LONGEST:
        raise invalid(f"it is longer than {LONGEST} characters.")
    if text.startswith("{"):
        return _json_pattern(_between(text, "{", "}"))
    if text.startswith("["):
        return _words_pattern(_between(text, "[", "]"))
    return _terms_pattern(text)


def _between(text: str, first: str, last: str) -> str:
    if not text.endswith(last) or len(text) < 2:
        raise invalid(f"{first} is not closed by {last}.")
    return text[1:-1]


# Terms ---------------------------------------------------------------------------------------------------------------


def _terms_pattern(text: str) -> Wants:
    tests: dict[str, list[Wants]] = {"": [], "-": [], "?": []}
    for sign, quoted, regex, bare in _TERM.findall(text):
        tests[sign].append(_term(quoted, regex, bare))
    wanted, unwanted, optional = tests[""], tests["-"], tests["?"]
    if wanted or unwanted:
        # By AWS's word, question marks count only among themselves.
        return lambda message: all(test(message) for test in wanted) and not any(test(message) for test in unwanted)
    return lambda message: not optional or any(test(message) for test in optional)


def _term(quoted: str, regex: str, bare: str) -> Wants:
    if regex:
        pattern = compile_regex(regex)
        return lambda message: pattern.search(message) is not None
    term = re.sub(r"\\(.)", r"\1", quoted) or bare
    return lambda message: term in message


# JSON ----------------------------------------------------------------------------------------------------------------


def _json_pattern(text: str) -> Wants:
    wants = Conditions(text, _path).read()

    def matches(message: str) -> bool:
        try:
            return wants(parsed(message))
        except ValueError:
            return False

    return matches


def _path(token: Token) -> Find:
    """`$.a.b[0]['c']`, `$.a[*]`."""
    if token.kind != "place":
        raise invalid(f"{token.text!r} is no path: it begins with $.")
    steps: list[str | int | None] = []
    for double, single, number, every, name in _STEP.findall(token.text):
        steps.append(int(number) if number else None if every else double or single or name)

    def find(subject: Any) -> Sequence[Any]:
        found = [subject]
        for step in steps:
            found = [below for one in found for below in _below(one, step)]
        return found

    return find


def _below(value: Any, step: str | int | None) -> Sequence[Any]:
    if isinstance(value, list):
        if step is None:
            return value
        return [value[step]] if isinstance(step, int) and step < len(value) else ()
    if isinstance(value, dict) and isinstance(step, str) and step in value:
        return [value[step]]
    return ()


# Words by their places -----------------------------------------------------------------------------------------------


def _words_pattern(text: str) -> Wants:
    """Conditions for each word in order; `...` stands for any number of words."""
    fields = _fields(text)
    gaps = [place for place, field in enumerate(fields) if field == "..."]
    if len(gaps) > 1:
        raise invalid("... stands in it more than once.")
    tests = [_word_test(field) for field in fields if field != "..."]
    head = gaps[0] if gaps else len(tests)
    tail = len(tests) - head

    def matches(message: str) -> bool:
        words = [bracket or quoted or bare for bracket, quoted, bare in _WORD.findall(message)]
        if len(words) < len(tests) or (not gaps and len(words) != len(tests)):
            return False
        counted = words[:head] + (words[-tail:] if tail else [])
        return all(test(word) for test, word in zip(tests, counted, strict=True))

    return matches


def _fields(text: str) -> list[str]:
    fields, place = [], 0
    while True:
        match = _FIELD.match(text, place)
        assert match is not None
        fields.append(match[0].strip())
        place = match.end()
        if place >= len(text):
            return fields
        if text[place] != ",":
            raise invalid(f"{text[place:]!r} is not closed.")
        place += 1


def _word_test(field: str) -> Condition:
    """A name alone takes any word."""
    if re.fullmatch(r"[\w.-]*", field):
        return lambda word: True
    return Conditions(field, _word).read()


def _word(token: Token) -> Find:
    if token.kind != "bare":
        raise invalid(f"{token.text!r} is no name of a word.")
    return lambda word: (word,)
