from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.errors.apigateway import BadRequestException
from alight.errors.common import NotImplemented_
from alight.services.apigateway.patches import Setter, entry, flag, item, member, patch, unescaped, whole

SETTERS: dict[str, Setter] = {
    "/name": member("name"),
    "/description": member("description"),
    "/on": flag("on"),
    "/size": whole("size", 0, 9, "no size"),
    "/kinds/": item("kinds"),
    "/variables/": entry("variables"),
}


def patched(body: dict[str, Any], *operations: tuple[str, str, str | None]) -> dict[str, Any]:
    asked = [{"op": op, "path": path} | ({} if value is None else {"value": value}) for op, path, value in operations]
    patch(body, asked, SETTERS, ("/policy",))
    return body


def test_members_are_replaced_and_taken_away() -> None:
    assert patched({"name": "a"}, ("replace", "/name", "b"), ("replace", "/on", "true")) == {"name": "b", "on": True}
    assert patched({"description": "a"}, ("remove", "/description", None)) == {}
    assert patched({"size": 3}, ("replace", "/size", "")) == {}


def test_collections_are_added_to_and_taken_from() -> None:
    kinds = patched({}, ("add", "/kinds/image~1png", None), ("add", "/kinds/a~0b", None))
    assert kinds == {"kinds": ["image/png", "a~b"]}
    assert patched(kinds, ("replace", "/kinds/image~1png", "image/gif")) == {"kinds": ["a~b", "image/gif"]}
    assert patched(kinds, ("remove", "/kinds/a~0b", None), ("remove", "/kinds/image~1gif", None)) == {}
    variables = patched({}, ("replace", "/variables/a", "1"), ("add", "/variables/b", "2"))
    assert variables == {"variables": {"a": "1", "b": "2"}}
    assert patched(variables, ("remove", "/variables/a", None)) == {"variables": {"b": "2"}}


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (("replace", "/nothing", "x"), "Invalid patch path /nothing"),
        (("add", "/kinds", "x"), "Invalid patch path /kinds"),
        (("add", "/kinds/", "x"), "Invalid patch path /kinds/"),
        (("add", "/name", "x"), "Invalid patch operation specified. Must be one of: [replace]"),
        (("remove", "/name", None), "Invalid patch operation specified. Must be one of: [replace]"),
        (("test", "/name", "x"), "Invalid patch operation specified. Must be one of: [add, remove, replace]"),
        (("replace", "/size", "10"), "no size"),
        (("replace", "/size", "x"), "no size"),
    ],
)
def test_what_cannot_be_patched(operation: tuple[str, str, str | None], message: str) -> None:
    with pytest.raises(BadRequestException) as refused:
        patched({"name": "a"}, operation)
    assert refused.value.message == message


def test_what_is_not_offered_is_refused_by_name() -> None:
    for path in ("/policy", "/policy/x"):
        with pytest.raises(NotImplemented_, match="/policy"):
            patched({}, ("replace", path, "x"))


@given(st.text())
def test_every_name_survives_its_escaping(name: str) -> None:
    assert unescaped(name.replace("~", "~0").replace("/", "~1")) == name
