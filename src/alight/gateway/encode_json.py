"""JSON out: members to wire names and JSON's own types."""

from __future__ import annotations

import json
from typing import Any

from botocore.model import Shape

from alight.gateway.scalars import write_blob, write_timestamp


def write_json(shape: Shape, value: Any) -> bytes:
    """UTF-8 JSON; members in headers or not in the model are left out, so are those that are None."""
    return json.dumps(plain(shape, value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def plain(shape: Shape, value: Any) -> Any:
    """The value in types that JSON has."""
    match shape.type_name:
        case "structure":
            return value if shape.metadata.get("document") else _structure(shape, value)
        case "list":
            item = shape.member
            return [plain(item, part) for part in value]
        case "map":
            item = shape.value
            return {str(key): plain(item, part) for key, part in value.items() if part is not None}
        case "timestamp":
            return write_timestamp(value, shape.serialization.get("timestampFormat", "unixTimestamp"))
        case "blob":
            return write_blob(value)
        case "integer" | "long":
            return int(value)
        case "boolean":
            return bool(value)
        case "float" | "double":
            return float(value)
    if not isinstance(value, str):
        raise TypeError(f"{shape.name} wants text, got {type(value).__name__}")
    return value


def _structure(shape: Shape, value: dict[str, Any]) -> dict[str, Any]:
    members = shape.members
    written = {}
    for name, part in value.items():
        member = members.get(name)
        if member is not None and part is not None and "location" not in member.serialization:
            written[member.serialization.get("name", name)] = plain(member, part)
    return written
