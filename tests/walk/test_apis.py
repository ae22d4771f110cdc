"""Requests to deployed APIs, over real sockets to real functions: events, answers and errors."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from alight.apis.api import Route
from tests.support import find_tool
from tests.walk.deployed import Deployed, account, http_api, proxied, rest, stage


@pytest.fixture(scope="module")
def alight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    yield from account(tmp_path_factory.mktemp("apis"))


# Events --------------------------------------------------------------------------------------------------------------


def test_a_rest_api_hands_the_request_to_its_function(alight: Deployed) -> None:
    base = rest(alight, "resta", variables={"table": "birds"}, deployment="d1")
    said = alight.ask(
        "POST",
        f"{base}/a%20b/c?x=1&x=2&y=a%26b",
        "grüße",
        [("X-MiXed", "1"), ("X-MiXed", "2"), ("content-type", "text/plain;charset=UTF-8"), ("uSER-agent", "tests")],
    )
    event = json.loads(said.body)
    assert said.status == 200
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/{proxy+}", "/a%20b/c", "POST")
    assert event["pathParameters"] == {"proxy": "a b/c"}
    assert event["headers"]["X-MiXed"] == "2"
    assert event["multiValueHeaders"]["X-MiXed"] == ["1", "2"]
    assert event["headers"]["User-Agent"] == "tests"
    assert "Content-Length" not in event["headers"]
    assert event["queryStringParameters"] == {"x": "2", "y": "a&b"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": ["a&b"]}
    assert event["stageVariables"] == {"table": "birds"}
    assert (event["body"], event["isBase64Encoded"]) == ("grüße", False)
    context = event["requestContext"]
    assert (context["path"], context["stage"], context["apiId"]) == ("/prod/a%20b/c", "prod", "resta")
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert said.headers["x-amzn-requestid"] == context["requestId"] == said.headers["x-run"]
    assert said.headers["x-amz-apigw-id"] == context["extendedRequestId"]
    assert said.headers["content-type"] == "application/json"
    assert said.headers["x-amzn-trace-id"] == event["headers"]["X-Amzn-Trace-Id"]


@pytest.mark.tool("curl")
def test_clients_of_all_kinds_get_the_same(alight: Deployed) -> None:
    base = f"http://127.0.0.1:{alight.port}{rest(alight, 'clients', 'says')}"
    said = json.dumps({"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "grün"})
    page = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "null"}
    by_requests = requests.post(base, data=said.encode(), headers=page, timeout=30)
    assert (by_requests.status_code, by_requests.content.decode()) == (200, "grün")
    curl = find_tool("curl")
    assert curl is not None
    by_curl = subprocess.run([curl, "-sS", "--data-binary", said, base], capture_output=True, timeout=30, check=True)
    assert by_curl.stdout.decode() == "grün"


def test_an_http_api_hands_the_request_to_its_function(alight: Deployed) -> None:
    base = http_api(alight, "httpa")
    said = alight.ask(
        "PUT", f"{base}/a%20b?x=1&x=2", b"\xff\x00", [("X-Mixed", "1"), ("x-mixed", "2"), ("Cookie", "a=1; b=2")]
    )
    event = json.loads(said.body)
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/prod/a b")
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("x=1&x=2", {"x": "1,2"})
    assert event["headers"]["x-mixed"] == "1,2"
    assert "cookie" not in event["headers"]
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)
    assert "stageVariables" not in event
    assert said.headers["apigw-requestid"] == event["requestContext"]["requestId"]
    assert "x-amzn-requestid" not in said.headers


def test_an_http_api_in_format_1(alight: Deployed) -> None:
    base = http_api(alight, "httpb", payload="1.0")
    event = json.loads(alight.ask("GET", f"{base}/a%20b").body)
    assert (event["version"], event["resource"], event["path"]) == ("1.0", "$default", "/prod/a b")
    assert event["requestContext"]["path"] == "/prod/a b"
    assert (event["body"], event["stageVariables"], event["queryStringParameters"]) == (None, None, None)


def test_an_api_is_reached_by_its_host(alight: Deployed) -> None:
    rest(alight, "hosta")
    for host in ("hosta.execute-api.localhost", "hosta.execute-api.us-east-1.localhost"):
        event = json.loads(alight.ask("GET", "/prod/by/host", host=f"{host}:{alight.port}").body)
        assert (event["path"], event["requestContext"]["domainPrefix"]) == ("/by/host", "hosta")
        assert event["requestContext"]["domainName"] == f"{host}:{alight.port}"
    http_api(alight, "hostb", stage="$default")
    event = json.loads(alight.ask("GET", "/by/host", host=f"hostb.execute-api.localhost:{alight.port}").body)
    assert (event["rawPath"], event["requestContext"]["stage"]) == ("/by/host", "$default")
    by_path = json.loads(alight.ask("GET", "/_aws/execute-api/hostb/by/path").body)
    assert by_path["rawPath"] == "/by/path"
    spelled = json.loads(alight.ask("GET", "/_aws/execute-api/hostb/$default/by/path").body)
    assert spelled["rawPath"] == "/by/path"


def test_binary_media_types_of_a_rest_api(alight: Deployed) -> None:
    base = rest(alight, "binary", "says", binary_media_types=("image/*", "application/octet-stream"))
    picture = base64.b64encode(b"\x89PNG\xff").decode()
    answer = {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": picture, "isBase64Encoded": True}
    got = alight.ask("POST", base, json.dumps(answer), {"Content-Type": "text/plain", "Accept": "image/png, */*"})
    assert (got.body, got.headers["content-type"]) == (b"\x89PNG\xff", "image/png")
    # As on AWS: only the first type of Accept is looked at.
    assert alight.ask("POST", base, json.dumps(answer), {"Accept": "*/*"}).text == picture
    sent = rest(alight, "binary2", binary_media_types=("image/*",))
    event = json.loads(alight.ask("POST", sent, b"\x89PNG\xff", {"Content-Type": "image/png"}).body)
    assert (event["body"], event["isBase64Encoded"]) == (picture, True)


# Answers -------------------------------------------------------------------------------------------------------------


def test_what_a_function_behind_a_rest_api_answers(alight: Deployed) -> None:
    base = rest(alight, "answers", "says")
    answer = {
        "statusCode": "201",
        "headers": {"X-One": True, "Connection": "close", "Content-Type": "text/css"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "körper",
    }
    said = alight.ask("POST", base, json.dumps(answer))
    assert (said.status, said.text, said.headers["x-one"]) == (201, "körper", "true")
    assert said.headers["content-type"] == "text/css"
    assert said.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert said.headers["x-amzn-remapped-connection"] == "close"
    assert alight.ask("POST", base, "{}").status == 200
    empty = alight.ask("POST", base, json.dumps({"statusCode": 204, "body": "dropped"}))
    assert (empty.status, empty.body) == (204, b"")
    head = alight.ask("HEAD", base, json.dumps({"statusCode": 200, "body": "12345"}))
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "5")


@pytest.mark.parametrize(
    "answer",
    [
        '"text"',
        "null",
        '{"statusCode": 200, "cookies": []}',
        '{"statusCode": 99}',
        '{"statusCode": "ok"}',
        '{"statusCode": 200, "body": {"a": 1}}',
        '{"statusCode": 200, "headers": {"X": "a\\r\\nSet-Cookie: b"}}',
        '{"raise": "broken"}',
        '{"statusCode": 200, "repeat": 0, "isBase64Encoded": "perhaps"}',
        '{"statusCode": 200, "headers": [1]}',
    ],
)
def test_a_rest_api_takes_no_other_answers(alight: Deployed, answer: str) -> None:
    said = alight.ask("POST", rest(alight, "malformed", "says"), answer.replace('"repeat": 0', '"body": ""'))
    assert (said.status, json.loads(said.body)) == (502, {"message": "Internal server error"})
    assert said.headers["x-amzn-errortype"] == "InternalServerErrorException"


@pytest.mark.parametrize(
    ("answer", "status", "kind", "body"),
    [
        ('"a bare text"', 200, "application/json", "a bare text"),
        ('{"a": [1, "ü"]}', 200, "application/json", {"a": [1, "ü"]}),
        ("null", 200, "application/json", None),
        ('{"statusCode": 404, "body": "gone"}', 404, "text/plain;charset=UTF-8", "gone"),
        ('{"statusCode": 200, "body": "AAH/", "isBase64Encoded": true, "headers": {"content-type": "a/b"}}', 200,
         "a/b", b"\x00\x01\xff"),
    ],
)  # fmt: skip
def test_format_2_infers_what_is_not_said(alight: Deployed, answer: str, status: int, kind: str, body: Any) -> None:
    said = alight.ask("POST", http_api(alight, "infer", "says"), answer, {"Content-Type": "text/plain"})
    assert (said.status, said.headers["content-type"]) == (status, kind)
    read = said.body if isinstance(body, bytes) else said.text if isinstance(body, str) else json.loads(said.body)
    assert read == body


def test_cookies_of_format_2(alight: Deployed) -> None:
    base = http_api(alight, "cookies", "says")
    said = alight.ask("POST", base, '{"statusCode": 200, "cookies": ["a=1", "b=2"]}', {"Content-Type": "text/plain"})
    assert said.headers.get_all("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("payload", ["1.0", "2.0"])
def test_a_failed_function_behind_an_http_api(alight: Deployed, payload: str) -> None:
    base = http_api(alight, f"broken{payload[0]}", "says", payload)
    said = alight.ask("POST", base, '{"raise": "x"}', {"Content-Type": "text/plain"})
    assert (said.status, json.loads(said.body)) == (500, {"message": "Internal Server Error"})
    said = alight.ask("POST", base, '{"statusCode": "ok"}', {"Content-Type": "text/plain"})
    assert said.status == 500


def test_an_answer_over_six_megabytes_is_an_error(alight: Deployed) -> None:
    base = rest(alight, "large", "says")
    assert len(alight.ask("POST", base, '{"repeat": "xxxxx"}').body) == 5 * 1024 * 1024
    assert alight.ask("POST", base, '{"repeat": "xxxxxxx"}').status == 502


def test_a_request_over_ten_megabytes_is_refused_while_it_comes(alight: Deployed) -> None:
    base, other = rest(alight, "tenmb"), http_api(alight, "tenmb2")
    big = b"x" * (10 * 1024 * 1024 + 1)
    said = alight.ask("POST", base, big)
    assert (said.status, json.loads(said.body)["message"]) == (413, "HTTP content length exceeded 10485760 bytes.")
    assert json.loads(alight.ask("POST", other, big).body) == {"message": "Request Entity Too Large"}
    # More than a function takes, less than an API takes.
    assert alight.ask("POST", base, big[: 7 * 1024 * 1024]).status == 413


def test_a_slow_function_is_not_waited_for(alight: Deployed) -> None:
    slow = replace(proxied("says"), timeout=0.5)
    base = alight.deploy(stage("REST", "slow", Route("POST", "/", slow)))
    said = alight.ask("POST", base, '{"sleep": 2}')
    assert (said.status, json.loads(said.body)) == (504, {"message": "Endpoint request timed out"})
    base = alight.deploy(stage("HTTP", "slow2", Route("POST", "/", replace(slow, payload="2.0"))))
    said = alight.ask("POST", f"{base}/", '{"sleep": 2}', {"Content-Type": "text/plain"})
    assert (said.status, json.loads(said.body)) == (503, {"message": "Service Unavailable"})


def test_what_is_not_there(alight: Deployed) -> None:
    base = alight.deploy(stage("REST", "noroute", Route("GET", "/pets", proxied("echo"))))
    for path, method in ((f"{base}/dogs", "GET"), (f"{base}/pets", "POST"), (base, "GET")):
        said = alight.ask(method, path)
        assert (said.status, json.loads(said.body)) == (403, {"message": "Missing Authentication Token"})
        assert said.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    assert alight.ask("GET", f"{base}/pets/").status == 200
    base = alight.deploy(stage("HTTP", "noroute2", Route("GET", "/pets", proxied("echo", payload="2.0"))))
    for path, method in ((f"{base}/dogs", "GET"), (f"{base}/pets", "POST"), (f"{base}/pets/", "GET")):
        said = alight.ask(method, path)
        assert (said.status, json.loads(said.body)) == (404, {"message": "Not Found"})
    for path in ("/_aws/execute-api/nobody/prod/x", "/_aws/execute-api/", "/_aws/execute-api"):
        said = alight.ask("GET", path)
        assert (said.status, json.loads(said.body)) == (403, {"message": "Forbidden"})


def test_a_new_deployment_takes_effect_at_once(alight: Deployed) -> None:
    base = alight.deploy(stage("REST", "again", Route("GET", "/old", proxied("echo"))))
    assert alight.ask("GET", f"{base}/old").status == 200
    alight.deploy(stage("REST", "again", Route("GET", "/new", proxied("echo"))))
    assert (alight.ask("GET", f"{base}/old").status, alight.ask("GET", f"{base}/new").status) == (403, 200)


def test_a_large_answer_is_compressed_where_the_api_says_so(alight: Deployed) -> None:
    base = rest(alight, "gzip", "says", minimum_compression=100)
    answer = json.dumps({"statusCode": 200, "body": "x" * 1000})
    said = alight.ask("POST", base, answer, {"Accept-Encoding": "gzip"})
    assert (said.headers["content-encoding"], gzip.decompress(said.body)) == ("gzip", b"x" * 1000)
    assert alight.ask("POST", base, answer).body == b"x" * 1000
