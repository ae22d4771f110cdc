"""Proxy events, member by member: our own golden files, and the members that AWS's published samples have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from alight.apis.api import Api, Route
from alight.apis.media import body_for_event
from alight.apis.proxy_v1 import context_v1, event_v1
from alight.apis.proxy_v2 import context_v2, event_v2
from alight.apis.request import Incoming
from alight.apis.routes import Table
from alight.calls import Principal
from tests.unit.apis.making import FUNCTION, incoming, stage

GOLDEN = Path(__file__).parents[2] / "events"
SAMPLES = Path(__file__).parents[4] / "shared" / "events" / "samples"
SIGNER = Principal("role", "arn:aws:sts::000000000000:assumed-role/r/s", "AROAEXAMPLE:s", "r", "w")

HEADERS = [
    ("Host", "abcdef1234.execute-api.localhost:4566"),
    ("Header1", "value1"),
    ("Header2", "value1"),
    ("header2", "value2"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("Content-Length", "20"),
    ("Connection", "keep-alive"),
    ("authorization", "Bearer x"),
    ("User-Agent", "tests/1"),
    ("Cookie", "cookie1=a; cookie2=b"),
    ("X-Forwarded-For", "198.51.100.1"),
    ("X-Amzn-Trace-Id", "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e"),
]
QUERY = "parameter1=value1&parameter1=value%262&parameter2=a+b&empty"
BODY = '{"message": "grüße"}'.encode()


def event(api: Api, payload: str, asked: Incoming, body: bytes, signer: Principal | None = None) -> dict[str, Any]:
    match = Table(api).match(asked.method, asked.path)
    assert match is not None
    text, is_base64 = body_for_event(api, asked.header("content-type"), body)
    key = "ASIAEXAMPLE" if signer else ""
    if payload == "2.0":
        return event_v2(api, match, asked, context_v2(api, match, asked, signer, key), text, is_base64)
    return event_v1(api, match, asked, context_v1(api, match, asked, signer, key), text, is_base64)


PETS = Route("POST", "/pets/{name}", FUNCTION, resource_id="r3s0rc", operation_name="AddPet")
FULL = incoming("POST", "/pets/a%20b", QUERY, HEADERS)
BARE = incoming("GET", "/pets/", "", [("Host", "127.0.0.1:4566")])

CASES = {
    "rest-full": (stage("REST", PETS, variables={"table": "birds"}), "1.0", FULL, BODY, None),
    "rest-bare": (stage("REST", Route("ANY", "/{proxy+}", FUNCTION, resource_id="pr0xy1")), "1.0", BARE, b"", None),
    "rest-binary": (
        stage("REST", Route("POST", "/", FUNCTION), binary_media_types=("image/*",)), "1.0",
        incoming("POST", "/", "", [("content-type", "image/png")]), b"\x89PNG", None,
    ),
    "rest-signed": (stage("REST", Route("GET", "/pets", FUNCTION)), "1.0", BARE, b"", SIGNER),
    "http-v1-full": (stage("HTTP", PETS, variables={"table": "birds"}), "1.0", FULL, BODY, None),
    "http-v1-bare": (stage("HTTP", Route("ANY", "$default", FUNCTION), stage="$default"), "1.0", BARE, b"", None),
    "http-v2-full": (stage("HTTP", PETS, variables={"table": "birds"}), "2.0", FULL, BODY, None),
    "http-v2-bare": (stage("HTTP", Route("ANY", "$default", FUNCTION), stage="$default"), "2.0", BARE, b"", None),
    "http-v2-form": (
        stage("HTTP", Route("POST", "/form", FUNCTION)), "2.0",
        incoming("POST", "/form", "", [("content-type", "application/x-www-form-urlencoded")]), b"a=b", None,
    ),
    "http-v2-signed": (stage("HTTP", Route("ANY", "/{proxy+}", FUNCTION)), "2.0", BARE, b"", SIGNER),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_event_is_the_golden_one(name: str) -> None:
    api, payload, asked, body, signer = CASES[name]
    made = event(api, payload, asked, body, signer)
    golden = json.loads((GOLDEN / f"apigateway-{name}.json").read_text())
    assert made == golden
    assert json.loads(json.dumps(made)) == golden, "it travels as JSON"


def sample(name: str) -> Any:
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} of the event samples is not here")
    return json.loads(path.read_text())


#: Members of samples that only other kinds of requests have: other authorizers, client certificates.
OTHERS = {"requestContext.authorizer", "requestContext.identity.clientCert", "requestContext.authentication"}


def members(value: Any, path: str = "") -> set[str]:
    """Dotted names; what the caller names freely (headers, parameters) counts as one."""
    if not isinstance(value, Mapping) or (path and not path.startswith("requestContext")) or path in OTHERS:
        return {path} - OTHERS
    found = {inner for key, item in value.items() for inner in members(item, f"{path}.{key}".strip("."))}
    return found - OTHERS


def test_format_1_has_the_members_of_the_published_sample() -> None:
    made = event(*CASES["http-v1-full"][:4])
    assert members(made) - {"requestContext.identity.cognitoAmr"} == members(sample("apiGatewayProxyEvent"))


def test_format_1_of_a_rest_api_has_no_version_but_its_deployment() -> None:
    made = event(*CASES["rest-full"][:4])
    ours, theirs = members(made), members(sample("apiGatewayProxyEvent"))
    assert theirs - ours == {"version"}
    assert ours - theirs == {"requestContext.deploymentId", "requestContext.operationName"}


@pytest.mark.parametrize(("name", "golden"), [("apiGatewayProxyV2Event", "http-v2-full")])
def test_format_2_has_the_members_of_the_published_sample(name: str, golden: str) -> None:
    assert members(event(*CASES[golden][:4])) == members(sample(name))


def test_a_signed_requests_caller_has_the_members_of_the_published_sample() -> None:
    ours = event(*CASES["http-v2-signed"])["requestContext"]["authorizer"]["iam"]
    assert set(ours) == set(sample("apiGatewayProxyV2IamEvent")["requestContext"]["authorizer"]["iam"])


def test_text_that_is_no_utf_8_gets_replacement_characters() -> None:
    assert body_for_event(stage("REST"), "text/plain", b"gr\xfcn") == ("gr\ufffdn", False)
    assert body_for_event(stage("HTTP"), "text/plain", b"gr\xfcn") == ("gr\ufffdn", False)


@pytest.mark.parametrize(
    ("content_type", "is_base64"),
    [
        ("text/plain;charset=UTF-8", False),
        ("application/json", False),
        ("application/vnd.api+json", False),
        ("Application/XML", False),
        ("application/javascript", False),
        ("image/svg+xml", True),
        ("application/x-www-form-urlencoded", True),
        ("multipart/form-data; boundary=x", True),
        (None, True),
    ],
)
def test_what_an_http_api_takes_for_text(content_type: str | None, is_base64: bool) -> None:
    assert body_for_event(stage("HTTP"), content_type, b"x")[1] is is_base64
