"""Data made harmless for a terminal (`harmless.py`), and cut to what fits there."""

from __future__ import annotations

from alight.harmless import line, text

__all__ = ["brief", "line", "text"]


def brief(value: object, length: int = 160) -> str:
    """The first line of `value`, cut where it is longer than `length`."""
    first = line(str(value).strip().partition("\n")[0])
    return first if len(first) <= length else first[: length - 3] + "..."
