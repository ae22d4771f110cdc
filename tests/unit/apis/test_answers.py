"""A function's result becomes an answer, or is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.apis.answers import Answer, Malformed, answer_through, answer_v1, answer_v2, can_be_sent
from alight.apis.refusals import refuse
from alight.errors.apis import (
    AuthorizerFailed,
    BadAnswer,
    IntegrationBusy,
    IntegrationTimeout,
    InvalidSignatureException,
    NotAuthorized,
)
from tests.unit.apis.making import stage

REST, HTTP = stage("REST"), stage("HTTP")


def v1(api: Any, result: Any, accept: str | None = None) -> Answer:
    return answer_v1(api, json.dumps(result).encode(), accept)


def named(answer: Answer) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in answer.headers:
        found.setdefault(name, []).append(value)
    return found


def test_both_kinds_of_headers_become_one_list() -> None:
    answer = v1(
        REST,
        {
            "headers": {"A": "1", "B": "2", "N": None, "C": 3},
            "multiValueHeaders": {"a": ["1", "4"], "D": ["x", "y"]},
        },
    )
    headers = named(answer)
    assert headers.pop("Content-Type") == ["application/json"]
    assert headers == {"a": ["1", "4"], "D": ["x", "y"], "B": ["2"], "C": ["3"]}


def test_headers_of_the_connection_do_not_pass() -> None:
    given = {"Connection": "x", "Content-Length": "1", "date": "d", "Server": "s", "WWW-Authenticate": "Basic"}
    result = {"statusCode": 401, "headers": given | {"Transfer-Encoding": "chunked", "Upgrade": "h2c"}}
    assert set(named(v1(REST, result))) == {"Content-Type"} | {
        f"x-amzn-Remapped-{name}" for name in ("Connection", "Content-Length", "Date", "Server", "WWW-Authenticate")
    }
    assert set(named(v1(HTTP, result))) == {"Content-Type", "WWW-Authenticate"}
    assert set(named(answer_v2(json.dumps(result).encode()))) == {"content-type", "WWW-Authenticate"}


@pytest.mark.parametrize("pair", [("X", "a\r\nSet-Cookie: b"), ("X", "a\nb"), ("X\r\nY", "a"), ("X Y", "a"), ("", "a")])
def test_a_header_that_would_end_early_is_none(pair: tuple[str, str]) -> None:
    name, value = pair
    for result in (
        {"statusCode": 200, "headers": {name: value}},
        {"statusCode": 200, "multiValueHeaders": {name: [value]}},
    ):
        with pytest.raises(Malformed, match="cannot be sent"):
            v1(REST, result)
    with pytest.raises(Malformed, match="cannot be sent"):
        answer_v2(json.dumps({"statusCode": 200, "headers": {name: value}}).encode())
    if name == "X":
        with pytest.raises(Malformed, match="cannot be sent"):
            answer_v2(json.dumps({"statusCode": 200, "cookies": [value]}).encode())


def test_bytes_of_either_kind() -> None:
    result = {"statusCode": 200, "body": "AAEC", "isBase64Encoded": True}
    pictures = stage("REST", binary_media_types=("image/*",))
    anything = stage("REST", binary_media_types=("*/*",))
    assert v1(HTTP, result).body == b"\0\1\2"
    assert v1(REST, result, "image/png").body == b"AAEC"
    assert v1(pictures, result, "image/png,*/*").body == b"\0\1\2"
    assert v1(pictures, result, "*/*").body == v1(pictures, result, None).body == b"AAEC"
    assert v1(anything, result, None).body == b"\0\1\2"
    for broken in ("AAE", "äöü", "AA EC"):
        with pytest.raises(Malformed):
            v1(HTTP, result | {"body": broken})


def test_a_status_may_be_digits_or_missing_only_where_aws_takes_that() -> None:
    assert [v1(REST, result).status for result in ({"statusCode": "404"}, {}, {"statusCode": 200.0})] == [404, 200, 200]
    with pytest.raises(Malformed, match="no statusCode"):
        v1(HTTP, {"body": "x"})
    for status in (True, 100, 199, 600, "2OO", [200], 200.5):
        with pytest.raises(Malformed):
            v1(REST, {"statusCode": status})
        with pytest.raises(Malformed):
            answer_v2(json.dumps({"statusCode": status}).encode())


def test_format_2_is_generous_with_bodies() -> None:
    assert answer_v2(b'{"statusCode": 200, "body": {"a": 1}}').body == b'{"a": 1}'
    assert answer_v2(b'{"statusCode": 200}').body == b""
    assert answer_v2(b"[1, 2]") == Answer(200, [("content-type", "application/json")], b"[1, 2]")
    with pytest.raises(Malformed):
        answer_v2(b'{"statusCode": 200, "cookies": "a=b"}')


def test_a_result_goes_through_as_it_is() -> None:
    answer = answer_through(b'{"a":1}', {"Content-Type": "text/csv", "X": "y"})
    assert answer == Answer(200, [("Content-Type", "text/csv"), ("X", "y")], b'{"a":1}')


READERS: tuple[Callable[[bytes], Answer], ...] = (
    lambda payload: answer_v1(REST, payload, "*/*"),
    lambda payload: answer_v1(HTTP, payload, None),
    answer_v2,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
results = st.dictionaries(
    st.sampled_from(["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded", "cookies", "other"]),
    json_values | st.sampled_from([200, "200", True, "AAEC", {"a": "b"}, {"a": ["b"]}, ["c=d"]]),
)


@given(results | json_values)
def test_whatever_a_function_returns_is_an_answer_or_malformed(result: Any) -> None:
    payload = json.dumps(result).encode()
    for read in READERS:
        try:
            answer = read(payload)
        except Malformed:
            continue
        assert 200 <= answer.status < 600
        assert all(can_be_sent(name, value) for name, value in answer.headers)


@given(st.binary(max_size=60))
def test_a_payload_that_is_no_json_is_malformed_or_an_answer(payload: bytes) -> None:
    for read in READERS:
        try:
            read(payload)
        except Malformed:
            continue


@pytest.mark.parametrize(
    ("fault", "rest", "http"),
    [
        (BadAnswer(), (502, b'{"message":"Internal server error"}'), (500, b'{"message":"Internal Server Error"}')),
        (IntegrationTimeout(), (504, b'{"message":"Endpoint request timed out"}'),
         (503, b'{"message":"Service Unavailable"}')),
        (IntegrationBusy(), (500, b'{"message":"Internal server error"}'), (503, b'{"message":"Service Unavailable"}')),
        (AuthorizerFailed(), (500, b'{"message":null}'), (500, b'{"message":"Internal Server Error"}')),
        (NotAuthorized("no"), (403, b'{"Message":"no"}'), (403, b'{"message":"Forbidden"}')),
        (InvalidSignatureException("bad"), (403, b'{"message":"bad"}'), (403, b'{"message":"Forbidden"}')),
    ],
)  # fmt: skip
def test_each_kind_says_no_in_its_own_words(fault: Any, rest: tuple[int, bytes], http: tuple[int, bytes]) -> None:
    for kind, expected in (("REST", rest), ("HTTP", http)):
        answer = refuse(kind, fault)  # type: ignore[arg-type]
        assert (answer.status, answer.body) == expected
        assert ("x-amzn-ErrorType" in named(answer)) is (kind == "REST")
