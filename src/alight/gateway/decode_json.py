"""JSON in: strict text to values, values to members.

Python's reader takes NaN, Infinity, doubled keys, numbers of any size, other encodings than UTF-8 and halves of
surrogate pairs; each would mean something else to another reader, or cannot be written down, so all are refused.
"""

from __future__ import annotations

import json
import math
from typing import Any

from botocore.model import Shape

from alight.errors.common import NotImplemented_
from alight.errors.gateway import MissingMember, SerializationException
from alight.gateway.scalars import read_blob, read_timestamp
from alight.parsed import check_depth

_KINDS = {"string": "a string", "structure": "an object", "map": "an object", "list": "a list", "boolean": "a boolean"}


def parse_json(body: bytes) -> Any:
    """Raises `SerializationException`."""
    try:
        found = json.loads(
            body.decode(), parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_without_doubles
        )
        check_depth(found, body)
        if b"\\u" in body:  # the one way in for half a pair, which no encoder takes
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError):
        raise SerializationException("The body is not JSON that can be read in one way only.") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("doubled key")
    return members


def read_json(shape: Shape, value: Any, path: str) -> Any:
    """`path` is where we are, for the message. Null members count as not given."""
    match shape.type_name:
        case "structure":
            return _structure(shape, value, path)
        case "list":
            items = _expect(value, list, shape, path)
            return [read_json(shape.member, item, f"{path}[{i}]") for i, item in enumerate(items) if item is not None]
        case "map":
            entries = _expect(value, dict, shape, path)
            return {
                key: read_json(shape.value, item, f"{path}.{key}") for key, item in entries.items() if item is not None
            }
        case "string" | "character":
            return _expect(value, str, shape, path)
        case "boolean":
            return _expect(value, bool, shape, path)
    return _number_or_coded(shape, value, path)


def _structure(shape: Shape, value: Any, path: str) -> Any:
    if shape.metadata.get("document"):
        return value
    entries = _expect(value, dict, shape, path)
    members = {}
    known = _wire_names(shape)
    for key, item in entries.items():
        member = known.get(key)
        if item is None or key == "__type":
            continue
        if member is None:
            raise NotImplemented_(f"Alight does not know the member {path + '.' + key if path else key}.")
        name, member_shape = member
        members[name] = read_json(member_shape, item, f"{path}.{name}" if path else name)
    for name in shape.required_members:
        if name not in members and "location" not in shape.members[name].serialization:
            raise MissingMember(f"{path}.{name} is required." if path else f"{name} is required.")
    return members


def _wire_names(shape: Shape) -> dict[str, tuple[str, Shape]]:
    """Kept in the shape's own instance cache by botocore's `members`; built once per shape object."""
    cached = shape.__dict__.get("alight_names")
    if cached is None:
        cached = {
            member.serialization.get("name", name): (name, member)
            for name, member in shape.members.items()
            if "location" not in member.serialization
        }
        shape.__dict__["alight_names"] = cached
    names: dict[str, tuple[str, Shape]] = cached
    return names


def _number_or_coded(shape: Shape, value: Any, path: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        match shape.type_name:
            case "integer" | "long" if is_number and value == int(value):
                return int(value)
            case "float" | "double" if is_number:
                return float(value)
            case "float" | "double" if value in ("NaN", "Infinity", "-Infinity"):
                return float(value)
            case "timestamp" if is_number or isinstance(value, str):
                form = shape.serialization.get("timestampFormat", "iso8601" if isinstance(value, str) else "")
                return read_timestamp(value, form)
            case "blob" if isinstance(value, str):
                return read_blob(value)
    except (ValueError, OverflowError):
        pass
    raise SerializationException(f"{path or 'The body'} is not a {shape.type_name}.")


def _expect(value: Any, kind: type, shape: Shape, path: str) -> Any:
    if not isinstance(value, kind):
        raise SerializationException(f"{path or 'The body'} is not {_KINDS.get(shape.type_name, shape.type_name)}.")
    return value
