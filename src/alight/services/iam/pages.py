"""IAM's paging: `Marker` names the last item that was shown."""

from __future__ import annotations

from typing import Any

from alight.calls import Members

DEFAULT_SIZE = 100


def page(items: list[Any], given: Members, member: str, key: str) -> Members:
    """The items behind `Marker`, at most `MaxItems`, in the order they are given; `key` tells them apart."""
    marker, size = given.get("Marker"), given.get("MaxItems", DEFAULT_SIZE)
    if marker is not None:
        place = next((index for index, item in enumerate(items) if _key(item, key) == marker), len(items) - 1)
        items = items[place + 1 :]
    shown = items[:size]
    more = {"Marker": _key(shown[-1], key)} if len(items) > size else {}
    return {member: shown, "IsTruncated": len(items) > size, **more}


def _key(item: Any, key: str) -> str:
    return str(item[key]) if isinstance(item, dict) else str(item)
