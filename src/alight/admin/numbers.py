"""Numbers as a request names them: what is none, or is larger than any row's, is refused in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alight.errors import AlightError
from alight.store.rows import MOST


def whole(given: Mapping[str, Any], name: str, otherwise: int) -> int:
    """A whole number of a query."""
    try:
        return _row(given.get(name, otherwise))
    except (OverflowError, TypeError, ValueError):
        raise AlightError(f"{name} is not a whole number: {str(given[name])[:40]}.") from None


def wholes(given: Mapping[str, Any], name: str) -> list[int]:
    """A list of whole numbers; none where it is not given."""
    listed = given.get(name) or []
    try:
        if isinstance(listed, list):
            return [_row(one) for one in listed]
        raise TypeError(listed)
    except (OverflowError, TypeError, ValueError):
        raise AlightError(f"{name} are not whole numbers.") from None


def positive(given: Mapping[str, Any], name: str) -> float:
    """Zero where it is not given."""
    try:
        number = float(given.get(name) or 0.0)
    except (OverflowError, TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise AlightError(f"{name} is not a number from 0 up.")
    return number


def _row(text: Any) -> int:
    number = int(text)
    if abs(number) > MOST:
        raise ValueError(number)
    return number
