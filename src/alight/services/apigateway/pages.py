"""Pages of lists, as REST APIs give them: `position` is where the next page begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alight.calls import Members
from alight.errors.apigateway import BadRequestException
from alight.services.paging import next_token, read_token

_MOST = 500


def page(items: Sequence[Members], given: Members, usual: int) -> Members:
    """One page of `items` and, where more follow, the position behind it."""
    limit = given.get("limit")
    limit = usual if limit is None else limit
    if not 1 <= limit <= _MOST:
        raise BadRequestException(f"Invalid limit specified. Must be between 1 and {_MOST}.")
    start = _number(read_token(given.get("position"), BadRequestException("Invalid position specified")))
    shown: dict[str, Any] = {"items": list(items[start : start + limit])}
    if start + limit < len(items):
        shown["position"] = next_token([str(start + limit), ""], 1)["NextToken"]
    return shown


def _number(text: str) -> int:
    if text and not text.isdigit():
        raise BadRequestException("Invalid position specified")
    return int(text or 0)
