"""Which route a request takes, of either kind of API."""

from __future__ import annotations

from typing import Any

import pytest

from alight.apis.api import Route
from alight.apis.routes import Table
from tests.unit.apis.making import FUNCTION, stage


def table(kind: Any, *keys: str) -> Table:
    routes = []
    for key in keys:
        method, _, path = key.rpartition(" ")
        routes.append(Route(method or "ANY", path, FUNCTION))
    return Table(stage(kind, *routes))


def taken(found: Table, request: str) -> tuple[str, dict[str, str]] | None:
    method, _, path = request.partition(" ")
    match = found.match(method, path)
    return None if match is None else (f"{match.route.method} {match.route.path}", dict(match.parameters))


#: The example of AWS's guide to HTTP API routes, and what it says of it.
GUIDE = ("GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default")


@pytest.mark.parametrize(
    ("request_", "route", "parameters"),
    [
        ("GET /pets/dog/1", "GET /pets/dog/1", {}),
        ("GET /pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET /pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("POST /test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        ("POST /pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET /", "ANY $default", {}),
        ("GET /pets/dog/1/", "GET /pets/{proxy+}", {"proxy": "dog/1/"}),
    ],
)
def test_the_order_of_an_http_api(request_: str, route: str, parameters: dict[str, str]) -> None:
    assert taken(table("HTTP", *GUIDE), request_) == (route, parameters)


def test_an_http_api_without_a_default_takes_nothing_else() -> None:
    found = table("HTTP", "GET /pets", "ANY /files/{proxy+}")
    for request in ("POST /pets", "GET /pets/", "GET /pets/1", "GET /", "GET /files", "GET /files/", "HEAD /pets"):
        assert taken(found, request) is None, request
    assert taken(found, "GET /files/a") == ("ANY /files/{proxy+}", {"proxy": "a"})


def test_a_rest_api_chooses_its_resource_by_the_path_alone() -> None:
    found = table("REST", "GET /pets", "ANY /{proxy+}", "POST /", "GET /pets/{id}/food", "PUT /pets/new")
    assert taken(found, "GET /pets") == ("GET /pets", {})
    assert taken(found, "POST /pets") is None, "the resource is there, the method is not"
    assert taken(found, "DELETE /pets/7") == ("ANY /{proxy+}", {"proxy": "pets/7"})
    assert taken(found, "POST /") == taken(found, "POST ") == ("POST /", {})
    assert taken(found, "GET /") is None, "a greedy variable does not stand for nothing"
    assert taken(found, "GET /pets/") == ("GET /pets", {}), "a slash at the end says nothing"
    assert taken(found, "GET /a/b/") == ("ANY /{proxy+}", {"proxy": "a/b"})
    assert taken(found, "GET /pets/new/food") == ("GET /pets/{id}/food", {"id": "new"}), "a dead end is left again"


@pytest.mark.parametrize("kind", ["REST", "HTTP"])
def test_a_verb_beats_any(kind: str) -> None:
    found = table(kind, "ANY /x", "GET /x")
    assert (taken(found, "GET /x"), taken(found, "POST /x")) == (("GET /x", {}), ("ANY /x", {}))


@pytest.mark.parametrize("kind", ["REST", "HTTP"])
def test_parameters_are_decoded(kind: str) -> None:
    found = table(kind, "GET /pets/{name}/{rest+}", "GET /gr\u00fcn")
    assert taken(found, "GET /pets/a%20b%2Fc/d%2Fe/%C3%BC") == (
        "GET /pets/{name}/{rest+}",
        {"name": "a b/c", "rest": "d/e/ü"},
    )
    assert taken(found, "GET /gr%C3%BCn") == ("GET /grün", {})
    assert taken(found, "GET /pets//x") is None, "a variable stands for something"


def test_variables_at_one_place_may_have_several_names() -> None:
    found = table("HTTP", "GET /pets/{id}", "PUT /pets/{name}", "GET /pets/{pet}/food")
    assert taken(found, "GET /pets/1") == ("GET /pets/{id}", {"id": "1"})
    assert taken(found, "PUT /pets/1") == ("PUT /pets/{name}", {"name": "1"})
    assert taken(found, "GET /pets/1/food") == ("GET /pets/{pet}/food", {"pet": "1"})
