"""What of each resource type is honoured, recorded without effect, or refused (design, decision 6).

ONE table per type (in `tables`). A row is a class, or a mapping for the properties inside, or a list with one row
for every item. A property that stands in no table is refused as unknown. All findings of a template are reported at
once; the neutral ones are shown in the plan as "recorded, no effect here".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from alight.stacks.load import Steps
from alight.stacks.resolve import Later


@dataclass(frozen=True, slots=True)
class Honoured:
    """Does what AWS says."""


@dataclass(frozen=True, slots=True)
class Neutral:
    """There is nothing to act on here: recorded, no effect."""


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


Row = Honoured | Neutral | Refused | Only | Mapping[str, Any] | list[Any]
Table = Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Finding:
    """One property that is not honoured. `steps` start at the resource's Properties."""

    kind: Literal["neutral", "refused"]
    steps: Steps
    message: str


def check(type_name: str, table: Table, properties: Mapping[str, Any]) -> list[Finding]:
    """Every neutral and every refused property of one resource."""
    return list(_walk(table, properties, (), type_name))


def _walk(row: Row, value: Any, steps: Steps, type_name: str) -> Iterator[Finding]:
    match row:
        case Honoured():
            return
        case Neutral():
            yield Finding("neutral", steps, "recorded, no effect here")
        case Refused(why):
            yield Finding("refused", steps, why)
        case Only(values, why, neutral):
            if not isinstance(value, Later) and _text(value) not in values:
                yield Finding("refused", steps, f"{_text(value)}: {why}")
            elif neutral:
                yield Finding("neutral", steps, "recorded, no effect here")
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
        if name in row:
            yield from _walk(row[name], item, (*steps, name), type_name)
        else:
            yield Finding("refused", (*steps, name), f"{name} is not a property of {type_name} that Alight knows.")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
