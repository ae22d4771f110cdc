"""The query protocol in: `Entries.member.1.Id=a&...` to members, by way of a tree of the dotted names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.model import Shape

from alight.calls import Members
from alight.errors.common import NotImplemented_
from alight.errors.gateway import MissingMember, SerializationException
from alight.gateway.scalars import read_scalar

#: What every query request may carry besides its members.
COMMON = frozenset(
    {
        "Action",
        "Version",
        "AWSAccessKeyId",
        "SignatureMethod",
        "SignatureVersion",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    }
)


@dataclass(slots=True)
class _Node:
    """One dotted step: its own text (if any) and what stands below it."""

    text: str | None = None
    below: dict[str, _Node] = field(default_factory=dict)


def read_query(shape: Shape, pairs: Iterable[tuple[str, str]]) -> Members:
    """Raises a `Fault` that names the parameter."""
    root = _Node()
    for name, value in pairs:
        if name in COMMON:
            continue
        node = root
        for step in name.split(".", 63):
            node = node.below.setdefault(step, _Node())
        node.text = value
    return _structure(shape, root, "")


def _read(shape: Shape, node: _Node, path: str) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(shape, node, path)
        case "list":
            return _list(shape, node, path)
        case "map":
            return _map(shape, node, path)
    _only(node, (), path)
    try:
        return read_scalar(shape, node.text or "", "iso8601")
    except ValueError as error:
        raise SerializationException(f"{path} is {error}.") from None


def _structure(shape: Shape, node: _Node, path: str) -> Members:
    members: Members = {}
    left = dict(node.below)
    for name, member in shape.members.items():
        found = left.pop(_wire_name(name, member), None)
        if found is not None:
            members[name] = _read(member, found, f"{path}.{name}" if path else name)
    if left:
        raise NotImplemented_(f"Alight does not know the parameter {f'{path}.' if path else ''}{next(iter(left))}.")
    for name in shape.required_members:
        if name not in members:
            raise MissingMember(f"{path}.{name} is required." if path else f"{name} is required.")
    return members


def _wire_name(name: str, member: Shape) -> str:
    serialization = member.serialization
    if member.type_name == "list" and serialization.get("flattened"):
        item = member.member.serialization.get("name")
        if item:
            return str(item)
    return str(serialization.get("queryName") or serialization.get("name") or name)


def _list(shape: Shape, node: _Node, path: str) -> list[Any]:
    if not shape.serialization.get("flattened"):
        name = shape.member.serialization.get("name", "member")
        _only(node, (name,), path)
        node = node.below.get(name, _Node())
    return [_read(shape.member, item, f"{path}.{number}") for number, item in _numbered(node, path)]


def _map(shape: Shape, node: _Node, path: str) -> dict[Any, Any]:
    if not shape.serialization.get("flattened"):
        _only(node, ("entry",), path)
        node = node.below.get("entry", _Node())
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    entries = {}
    for number, entry in _numbered(node, path):
        _only(entry, (key_name, value_name), f"{path}.{number}")
        key = _read(shape.key, entry.below.get(key_name, _Node()), f"{path}.{number}")
        entries[key] = _read(shape.value, entry.below.get(value_name, _Node()), f"{path}.{key}")
    return entries


def _only(node: _Node, names: tuple[str, ...], path: str) -> None:
    """Nothing that was given is passed over in silence."""
    unknown = next((step for step in node.below if step not in names), None)
    if unknown is not None:
        raise SerializationException(f"{path}.{unknown} is not a parameter.")


def _numbered(node: _Node, path: str) -> list[tuple[int, _Node]]:
    try:
        return sorted(((int(step), item) for step, item in node.below.items()), key=lambda pair: pair[0])
    except ValueError:
        raise SerializationException(f"The items of {path} are not numbered.") from None
