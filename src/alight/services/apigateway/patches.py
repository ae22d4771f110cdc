"""PATCH as API Gateway speaks it: a list of operations, each with a path into the thing that is changed (pure).

`/name` replaces a member; `/binaryMediaTypes/image~1png` adds to or takes from a collection (`~1` is a slash, `~0` a
tilde, as in JSON Pointer). Every kind of thing says which paths it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from alight.calls import Members
from alight.errors.apigateway import BadRequestException
from alight.errors.common import NotImplemented_

Body = dict[str, Any]
#: (the thing, the path's last step or "", the value or None where it is taken away)
Setter = Callable[[Body, str, str | None], None]

_OPERATIONS = ("add", "remove", "replace")


def patch(
    body: Body, operations: Iterable[Members] | None, setters: Mapping[str, Setter], refused: Iterable[str] = ()
) -> None:
    """Apply every operation to `body`. `setters` are by path; one that ends in `/` stands for all the paths below it.

    A path that begins with one of `refused` is of AWS, but not offered here.
    """
    for operation in operations or ():
        op, path, value = operation.get("op"), operation.get("path") or "", operation.get("value")
        if op not in _OPERATIONS:
            allowed = ", ".join(_OPERATIONS)
            raise BadRequestException(f"Invalid patch operation specified. Must be one of: [{allowed}]")
        for prefix in refused:
            if path == prefix or path.startswith(f"{prefix}/"):
                raise NotImplemented_(f"Alight does not support the patch path {prefix}.")
        setter, step = _setter(path, setters)
        if setter is None:
            raise BadRequestException(f"Invalid patch path {path}")
        if not step and op != "replace" and not (op == "remove" and path in _REMOVABLE):
            raise BadRequestException("Invalid patch operation specified. Must be one of: [replace]")
        setter(body, step, None if op == "remove" else value or "")


#: Members that may be taken away as a whole.
_REMOVABLE = frozenset({"/description", "/minimumCompressionSize", "/variables"})


def _setter(path: str, setters: Mapping[str, Setter]) -> tuple[Setter | None, str]:
    if path in setters and not path.endswith("/"):
        return setters[path], ""
    for prefix, setter in setters.items():
        if prefix.endswith("/") and path.startswith(prefix) and len(path) > len(prefix):
            return setter, unescaped(path.removeprefix(prefix))
    return None, ""


def unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def member(name: str) -> Setter:
    """Sets a text, or takes it away."""

    def put(body: Body, step: str, value: str | None) -> None:
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value

    return put


def flag(name: str) -> Setter:
    def put(body: Body, step: str, value: str | None) -> None:
        body[name] = (value or "").lower() == "true"

    return put


def whole(name: str, least: int, most: int, refusal: str) -> Setter:
    """A whole number between two others; no value takes it away."""

    def put(body: Body, step: str, value: str | None) -> None:
        if not value:
            body.pop(name, None)
            return
        if not value.lstrip("-").isdigit() or not least <= int(value) <= most:
            raise BadRequestException(refusal)
        body[name] = int(value)

    return put


def entry(name: str, read: Callable[[str], Any] = str) -> Setter:
    """Sets one entry of a mapping, or takes it away."""

    def put(body: Body, step: str, value: str | None) -> None:
        if value is None:
            body.get(name, {}).pop(step, None)
        else:
            body.setdefault(name, {})[step] = read(value)
        if not body.get(name):
            body.pop(name, None)

    return put


def item(name: str) -> Setter:
    """Adds one text to a list or takes it out; `replace` puts its value in the place of the step."""

    def put(body: Body, step: str, value: str | None) -> None:
        items: list[str] = body.setdefault(name, [])
        if value is None:
            body[name] = [one for one in items if one != step]
        elif value:
            body[name] = [one for one in items if one not in (step, value)] + [value]
        elif step not in items:
            items.append(step)
        if not body[name]:
            del body[name]

    return put
