"""Pages of a hundred: NextToken says where the next one begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alight.calls import Members
from alight.errors.common import ValidationError
from alight.services.paging import next_token, read_token

SIZE = 100


def page(items: Sequence[Any], given: Members, size: int = SIZE) -> tuple[list[Any], Members]:
    """One page of `items`, and the reply's NextToken where more follow. Raises `ValidationError`."""
    start = read_token(given.get("NextToken"), ValidationError("The specified NextToken is not valid."))
    if start and not start.isdigit():
        raise ValidationError("The specified NextToken is not valid.")
    first = int(start or 0)
    end = first + size
    more = next_token([str(end), ""], 1) if end < len(items) else {}
    return list(items[first:end]), more
