"""What of each resource type is honoured, recorded without effect, or refused (design, decision 6).

ONE table per type (in `tables`). A row is a class, or a mapping for the properties inside, or a list with one row
for every item. A property that stands in no table is refused as unknown. All findings of a template are reported at
once; the neutral ones are shown in the plan as "recorded, no effect here".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alight.stacks.load import Steps
from alight.stacks.resolve import Later

Kind = Literal["any", "text", "whole", "number", "flag", "texts", "mapping", "document", "tags"]


@dataclass(frozen=True, slots=True)
class Honoured:
    """Does what AWS says, for values of that kind (numbers and flags may be written as text)."""

    kind: Kind = "any"


@dataclass(frozen=True, slots=True)
class Neutral:
    """There is nothing to act on here: recorded, no effect."""

    kind: Kind = "any"


@dataclass(frozen=True, slots=True)
class Refused:
    """Would change results, access or durability and is not offered."""

    why: str


@dataclass(frozen=True, slots=True)
class Only:
    """Honoured or neutral for these values (compared as text), refused for others."""

    values: tuple[str, ...]
    why: str
    neutral: bool = False


@dataclass(frozen=True, slots=True)
class Matching:
    """Text, honoured where the whole of it is of that pattern, refused otherwise."""

    pattern: str
    why: str


#: The name in a table under which all names stand that it does not spell out.
OTHERS = "*"
Row = Honoured | Neutral | Refused | Only | Matching | Mapping[str, Any] | list[Any]
Table = Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Finding:
    """One property that is not honoured. `steps` start at the resource's Properties."""

    kind: Literal["neutral", "refused"]
    steps: Steps
    message: str


def check(type_name: str, table: Table, properties: Any, required: Sequence[str] = ()) -> list[Finding]:
    """Every neutral, every refused and every missing property of one resource.

    `required` are paths with points between the names; `*` stands for every item of a list.
    """
    missing = [finding for path in required for finding in _missing(path.split("."), properties, ())]
    return [*_walk(table, properties, (), type_name), *missing]


def typed(row: Row, value: Any) -> Any:
    """A value that was found sound, as what its row says: numbers and flags that were written as text, and back."""
    if isinstance(value, Later):
        return value
    if isinstance(row, Honoured | Neutral):
        return _TYPED[row.kind](value) if row.kind in _TYPED else value
    if isinstance(row, list):
        return [typed(row[0], item) for item in value]
    if isinstance(row, Mapping):
        return {name: typed(row.get(name, row.get(OTHERS)), item) for name, item in value.items()}
    return value


def _missing(path: Sequence[str], value: Any, steps: Steps) -> Iterator[Finding]:
    """Where a required property is not, although what holds it is there."""
    name, rest = path[0], path[1:]
    if name == "*":
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _missing(rest, item, (*steps, index))
    elif isinstance(value, dict):
        if name in value and rest:
            yield from _missing(rest, value[name], (*steps, name))
        elif name not in value and not rest:
            yield Finding("refused", (*steps, name), "is required.")


def _walk(row: Row, value: Any, steps: Steps, type_name: str) -> Iterator[Finding]:
    if value is None:
        yield Finding("refused", steps, "has no value.")
        return
    match row:
        case Honoured(kind):
            if not _fits(kind, value):
                yield Finding("refused", steps, f"takes {_WORDS[kind]}.")
        case Neutral(kind):
            fits = _fits(kind, value)
            yield _recorded(steps) if fits else Finding("refused", steps, f"takes {_WORDS[kind]}.")
        case Refused(why):
            yield Finding("refused", steps, why)
        case Only(values, why, neutral):
            if not isinstance(value, Later) and _text(value) not in values:
                yield Finding("refused", steps, f"{_text(value)}: {why}")
            elif neutral:
                yield _recorded(steps)
        case Matching(pattern, why):
            if not isinstance(value, Later) and re.fullmatch(pattern, _text(value)) is None:
                yield Finding("refused", steps, why)
        case list():
            yield from _walk_list(row, value, steps, type_name)
        case _:
            yield from _walk_mapping(row, value, steps, type_name)


def _walk_list(row: list[Any], value: Any, steps: Steps, type_name: str) -> Iterator[Finding]:
    if isinstance(value, Later):
        return
    if not isinstance(value, list):
        yield Finding("refused", steps, "takes a list.")
        return
    for index, item in enumerate(value):
        yield from _walk(row[0], item, (*steps, index), type_name)


def _walk_mapping(row: Mapping[str, Any], value: Any, steps: Steps, type_name: str) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield Finding("refused", steps, "takes a mapping.")
        return
    for name, item in value.items():
        if name in row or OTHERS in row:
            yield from _walk(row.get(name, row.get(OTHERS)), item, (*steps, name), type_name)
        else:
            yield Finding("refused", (*steps, name), f"{name} is not a property of {type_name} that Alight knows.")


def _recorded(steps: Steps) -> Finding:
    return Finding("neutral", steps, "recorded, no effect here")


def _fits(kind: Kind, value: Any) -> bool:
    return kind == "any" or isinstance(value, Later) or _KINDS[kind](value)


def _tag(value: Any) -> bool:
    return isinstance(value, dict) and _scalar(value.get("Key")) and _scalar(value.get("Value"))


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) == float(value)
    except (TypeError, ValueError):
        return False


_KINDS: Mapping[Kind, Callable[[Any], bool]] = {
    "text": _scalar,
    "whole": lambda value: not isinstance(value, bool) and re.fullmatch(r"-?\d+", str(value)) is not None,
    "number": _number,
    "flag": lambda value: str(value).lower() in ("true", "false"),
    "texts": lambda value: isinstance(value, list) and all(_scalar(item) for item in value),
    "mapping": lambda value: isinstance(value, dict),
    "document": lambda value: isinstance(value, dict | str),
    "tags": lambda value: isinstance(value, list) and all(map(_tag, value)),
}
_WORDS: Mapping[Kind, str] = {
    "text": "text",
    "whole": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "texts": "a list of texts",
    "mapping": "a mapping",
    "document": "a policy document",
    "tags": "a list of Key and Value",
}


_TYPED: Mapping[Kind, Callable[[Any], Any]] = {
    "text": lambda value: _text(value),
    "texts": lambda value: [item if isinstance(item, Later) else _text(item) for item in value],
    "whole": int,
    "number": float,
    "flag": lambda value: str(value).lower() == "true",
}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
