"""JSON inside of what a stranger sends: policies, messages, tokens. (Whole requests have a stricter reader.)

`json.loads` alone ends some such texts with another error than `ValueError`, or gives values that whoever walks through
them cannot get to the bottom of; here what is nested too deeply is no JSON.
"""

from __future__ import annotations

import json
from typing import Any

#: Brackets within brackets. A policy has five, what services write a dozen.
DEEPEST = 200


def parsed(text: str | bytes) -> Any:
    """As `json.loads`. Raises `ValueError` for all that it does not take."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    check_depth(value, text)
    return value


def check_depth(value: Any, text: str | bytes) -> None:
    """Raises `ValueError` where `value`, which was read from `text`, is nested too deeply."""
    # Few have so many brackets at all.
    brackets = text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    if brackets > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError("nested too deeply")


def _depth(value: Any) -> int:
    """Level by level, so that no depth is too much."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth, level = depth + 1, [inner for one in level for inner in _inside(one)]
    return depth


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
