"""FilterCriteria of an event source mapping: which messages a function wants (pure).

A message passes where one of the patterns matches its record; the pattern language is that of SNS's filter policies on
bodies. A body is looked into where it is JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alight.calls import Members
from alight.errors.lambda_ import InvalidParameterValueException
from alight.notifications.filter_rules import PolicyError, check_pattern
from alight.notifications.filters import matches
from alight.parsed import parsed

#: Patterns of one mapping.
MOST_FILTERS = 5


def read_patterns(criteria: Members | None) -> list[dict[str, Any]]:
    """The patterns of FilterCriteria, checked; none where everything is wanted."""
    filters = (criteria or {}).get("Filters") or []
    if len(filters) > MOST_FILTERS:
        raise InvalidParameterValueException(f"The number of filters exceeds the limit of {MOST_FILTERS}.", Type="User")
    return [_pattern(item.get("Pattern") or "") for item in filters]


def _pattern(text: str) -> dict[str, Any]:
    try:
        pattern = parsed(text)
        if not isinstance(pattern, dict) or not pattern:
            raise PolicyError("a pattern is an object")
        check_pattern(pattern)
    except ValueError as error:
        raise InvalidParameterValueException(f"Invalid filter pattern definition. ({error})", Type="User") from None
    return pattern


def wants(patterns: Sequence[Members], record: Members) -> bool:
    """Whether one of the patterns matches a record."""
    if not patterns:
        return True
    return any(_matches(pattern, record) for pattern in patterns)


def _matches(pattern: Members, record: Members) -> bool:
    """A pattern with an object for the body speaks of JSON, any other one of plain text. A body that is no object
    neither has the keys that are asked for, nor lacks them."""
    if not isinstance(pattern.get("body"), dict):
        return matches(pattern, record)
    try:
        body = parsed(record["body"])
    except ValueError:
        return False
    return isinstance(body, dict) and matches(pattern, record | {"body": body})
