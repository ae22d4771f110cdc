"""XML out, for rest-xml and query alike: members to elements in the model's order."""

from __future__ import annotations

from typing import Any

from botocore.model import Shape

from alight.gateway.scalars import write_scalar
from alight.gateway.xml import escape, escape_attribute


def write_document(name: str, shape: Shape, value: Any, namespace: str) -> str:
    """A root element in its namespace."""
    return f'<{name} xmlns="{namespace}">{write_children(shape, value)}</{name}>'


def write_children(shape: Shape, value: Any) -> str:
    """The members of a structure as elements; what is None or travels elsewhere is left out."""
    written = []
    for name, member in shape.members.items():
        serialization = member.serialization
        if "location" in serialization or serialization.get("xmlAttribute"):
            continue
        part = value.get(name)
        if part is not None:
            written.append(_member(serialization.get("name", name), member, part))
    return "".join(written)


def _member(name: str, shape: Shape, value: Any) -> str:
    flattened = shape.serialization.get("flattened")
    match shape.type_name:
        case "structure":
            return f"<{name}{_attributes(shape, value)}>{write_children(shape, value)}</{name}>"
        case "list":
            item = shape.member
            if flattened:
                own = item.serialization.get("name", name)
                return "".join(_member(own, item, part) for part in value)
            inner = item.serialization.get("name", "member")
            return f"<{name}>{''.join(_member(inner, item, part) for part in value)}</{name}>"
        case "map":
            own = shape.serialization.get("queryName", name) if flattened else "entry"
            entries = "".join(_entry(own, shape, key, part) for key, part in value.items())
            return entries if flattened else f"<{name}>{entries}</{name}>"
    return f"<{name}>{escape(write_scalar(shape, value, 'iso8601'))}</{name}>"


def _entry(name: str, shape: Shape, key: str, value: Any) -> str:
    key_text = _member(shape.key.serialization.get("name", "key"), shape.key, key)
    return f"<{name}>{key_text}{_member(shape.value.serialization.get('name', 'value'), shape.value, value)}</{name}>"


def _attributes(shape: Shape, value: Any) -> str:
    space = shape.serialization.get("xmlNamespace")
    written = f' xmlns:{space["prefix"]}="{space["uri"]}"' if isinstance(space, dict) and "prefix" in space else ""
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute") and value.get(name) is not None:
            text = escape_attribute(write_scalar(member, value[name], "iso8601"))
            written += f' {member.serialization.get("name", name)}="{text}"'
    return written
