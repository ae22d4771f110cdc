"""How properties are spelt for operations: wire attributes are always text, tags are lists or mappings."""

from __future__ import annotations

import json
from typing import Any

from alight.calls import Members


def as_text(value: Any) -> str:
    """Mappings and lists as JSON, booleans as `true` and `false`."""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_document(value: Any) -> str:
    """A policy as the text that IAM, topics and queues take."""
    return value if isinstance(value, str) else json.dumps(value)


def texts(properties: Members, *members: str) -> dict[str, str]:
    """Those of `members` that are given, as attributes."""
    return {name: as_text(properties[name]) for name in members if name in properties}


def given(properties: Members, *members: str) -> Members:
    """Those of `members` that are given, as they are."""
    return {name: properties[name] for name in members if name in properties}


def tag_list(properties: Members, member: str = "Tags") -> dict[str, list[dict[str, str]]]:
    """`{member: [{"Key", "Value"}]}`, or nothing where there are none."""
    found = [{"Key": str(tag["Key"]), "Value": as_text(tag["Value"])} for tag in _tags(properties)]
    return {member: found} if found else {}


def tag_map(properties: Members, member: str = "Tags") -> dict[str, dict[str, str]]:
    """`{member: {key: value}}`, or nothing where there are none."""
    found = {str(tag["Key"]): as_text(tag["Value"]) for tag in _tags(properties)}
    return {member: found} if found else {}


def _tags(properties: Members) -> list[Members]:
    """The tags that somebody wants to see: not those by which the SAM translator says what needs what."""
    tags = properties.get("Tags") or []
    return [tag for tag in tags if not str(tag.get("Key", "")).startswith("sam:ConditionalDependsOn:")]
