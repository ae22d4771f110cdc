"""XML bodies in: a tree of elements to members. An element that the schema does not have is malformed, as on AWS."""

from __future__ import annotations

from typing import Any

from botocore.model import Shape

from alight.calls import Members
from alight.errors.gateway import MalformedXML
from alight.gateway.scalars import read_scalar
from alight.gateway.xml import Element


def read_root(shape: Shape, root: Element, namespace: str) -> Members:
    """The body's structure; its namespace may be left out but not be another. Raises `MalformedXML`."""
    given = root.attributes.get("xmlns")
    if given is not None and given.rstrip("/") != namespace.rstrip("/"):
        raise MalformedXML
    return _structure(shape, root)


def _read(shape: Shape, element: Element) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(shape, element)
        case "list":
            name = shape.member.serialization.get("name", "member")
            if any(child.name != name for child in element.children):
                raise MalformedXML
            return [_read(shape.member, child) for child in element.children]
        case "map":
            return _map(shape, [child for child in element.children if child.name == "entry"])
    if element.children:
        raise MalformedXML
    try:
        return read_scalar(shape, element.text, "iso8601")
    except ValueError as error:
        raise MalformedXML(f"{element.name} is {error}.") from None


def _structure(shape: Shape, element: Element) -> Members:
    by_name: dict[str, list[Element]] = {}
    for child in element.children:
        by_name.setdefault(child.name, []).append(child)
    members: Members = {}
    for name, member in shape.members.items():
        serialization = member.serialization
        if "location" in serialization:
            continue
        wire = serialization.get("name", name)
        if serialization.get("xmlAttribute"):
            if wire in element.attributes:
                members[name] = read_scalar(member, element.attributes[wire], "iso8601")
            continue
        found = by_name.pop(_local(wire), None)
        if found is not None:
            members[name] = _one_or_all(member, found)
    if by_name:
        raise MalformedXML(f"The XML you provided has an unknown element: {next(iter(by_name))[:100]}.")
    for name in shape.required_members:
        if name not in members and "location" not in shape.members[name].serialization:
            raise MalformedXML(f"The XML you provided lacks {name}.")
    return members


def _one_or_all(member: Shape, found: list[Element]) -> Any:
    if member.serialization.get("flattened"):
        if member.type_name == "list":
            return [_read(member.member, element) for element in found]
        return _map(member, found)
    if len(found) > 1:
        raise MalformedXML(f"{found[0].name} is given twice.")
    return _read(member, found[0])


def _map(shape: Shape, entries: list[Element]) -> dict[Any, Any]:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    result = {}
    for entry in entries:
        parts = {child.name: child for child in entry.children}
        if key_name not in parts or value_name not in parts:
            raise MalformedXML
        result[_read(shape.key, parts[key_name])] = _read(shape.value, parts[value_name])
    return result


def _local(name: str) -> str:
    return name.rpartition(":")[2]
