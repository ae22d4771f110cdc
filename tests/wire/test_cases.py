"""Protocol traits one at a time, on small models of our own: what random members over real services cannot isolate.

Each file in `cases/` is one protocol: shapes, and cases that say either `request` (which must be read as `members`)
or `response` (which `members` must be written as). `{"$bytes": text}` and `{"$time": iso}` stand for what JSON lacks.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from alight.errors import Fault
from alight.gateway.models import Service
from alight.gateway.request import Request, read_request
from alight.gateway.route import Match, Router
from alight.gateway.wire import decode, encode, encode_error

FOLDER = Path(__file__).parent / "cases"


def load() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        book = json.loads(path.read_text())
        for case in book["cases"]:
            found.append(pytest.param(book, case, id=f"{path.stem}: {case['title']}"))
    return found


def revive(value: Any) -> Any:
    match value:
        case {"$bytes": str(text)}:
            return text.encode()
        case {"$time": str(text)}:
            return datetime.fromisoformat(text)
        case dict():
            return {key: revive(item) for key, item in value.items()}
        case list():
            return [revive(item) for item in value]
    return value


def service_of(book: Any, case: Any) -> Service:
    operation = {"name": "Do", "http": {"method": "POST", "requestUri": "/"} | case.get("http", {})}
    shapes = {**book["shapes"], **case.get("shapes", {})}
    for side, name in (("input", "In"), ("output", "Out")):
        if side in case:
            shapes[name] = {"type": "structure"} | case[side]
            operation[side] = {"shape": name} | case.get(f"{side}_traits", {})
    if "errors" in case:
        operation["errors"] = [{"shape": name} for name in case["errors"]]
    metadata = {"endpointPrefix": "case", "serviceId": "Case", "apiVersion": "1"} | book["metadata"]
    return Service("case", {"metadata": metadata, "operations": {"Do": operation}, "shapes": shapes})


def request_of(given: Any) -> Request:
    url = urlsplit(given.get("url", "/"))
    headers = [(name.encode(), value.encode()) for name, value in given.get("headers", {}).items()]
    return read_request(
        {
            "method": given.get("method", "POST"),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": [*headers, (b"host", b"localhost")],
        }
    )


def match_of(service: Service, request: Request) -> Match:
    operation = service.operation("Do")
    assert operation is not None
    if service.protocol.startswith("rest"):
        found = Router()._by_path(service, request, None)
        assert isinstance(found, Match)
        return found
    return Match(service, operation, service.protocol, {}, "application/x-amz-json-1.1")


@pytest.mark.parametrize(("book", "case"), load())
def test_case(book: Any, case: Any) -> None:
    service = service_of(book, case)
    if "request" in case:
        read_case(service, case)
    elif "error" in case:
        error_case(service, case)
    else:
        write_case(service, case)


def read_case(service: Service, case: Any) -> None:
    given = case["request"]
    request = request_of(given)
    body = given.get("body", "").encode()
    if "fault" in case:
        with pytest.raises(Fault) as caught:
            decode(match_of(service, request), request, body)
        assert caught.value.code == case["fault"]
        return
    assert decode(match_of(service, request), request, body) == revive(case["members"])


def write_case(service: Service, case: Any) -> None:
    operation = service.operation("Do")
    assert operation is not None
    match = Match(service, operation, service.protocol, {}, "application/x-amz-json-1.1")
    compare(encode(match, revive(case["members"]), "ID"), case["response"])


def error_case(service: Service, case: Any) -> None:
    given = case["error"]
    kind = type(given["code"], (Fault,), {"status": given.get("status", 400)})
    compare(
        encode_error(service, service.protocol, kind(given["message"], **given.get("members", {})), "ID"),
        case["response"],
    )


def compare(response: Any, expected: Any) -> None:
    headers = {name.decode(): value.decode() for name, value in response.headers}
    assert response.status == expected.get("status", 200)
    for name, value in expected.get("headers", {}).items():
        assert headers.get(name) == value
    if "json" in expected:
        assert json.loads(response.body) == expected["json"]
    if "body" in expected:
        text = response.body.decode()
        assert text.removeprefix('<?xml version="1.0" encoding="UTF-8"?>\n') == expected["body"]
