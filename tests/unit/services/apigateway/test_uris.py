from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.errors.apigateway import BadRequestException
from alight.services.apigateway.uris import (
    check_variables,
    function_of,
    is_address,
    service_of,
    with_variables,
)

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PREFIX = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        (f"{PREFIX}{ARN}/invocations", ARN),
        (f"{PREFIX}{ARN}:live/invocations", f"{ARN}:live"),
        (f"{PREFIX}{ARN}:$LATEST/invocations", f"{ARN}:$LATEST"),
        (f"{PREFIX}{ARN[:-1]}${{stageVariables.fn}}/invocations", f"{ARN[:-1]}${{stageVariables.fn}}"),
        (f"{PREFIX}{ARN}:${{stageVariables.alias}}/invocations", f"{ARN}:${{stageVariables.alias}}"),
        (ARN, ARN),
        (f"{PREFIX}{ARN}", None),
        (f"{PREFIX}nothing/invocations", None),
        ("arn:aws:apigateway:us-east-1:sqs:path/0/q", None),
        ("https://a.example/", None),
        ("", None),
    ],
)
def test_which_function_a_uri_means(uri: str, wanted: str | None) -> None:
    assert function_of(uri) == wanted


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True))
def test_every_name_that_a_function_can_have_is_found(name: str) -> None:
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert function_of(f"{PREFIX}{arn}/invocations") == arn


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    function_of(text)
    service_of(text)
    is_address(text)
    with_variables(text, {"a": "b"})


def test_variables_are_put_in_and_missing_ones_are_empty() -> None:
    assert with_variables("a${stageVariables.x}b${stageVariables.y}", {"x": "1"}) == "a1b"
    check_variables({"a_1": "http://x/?a=b&c,d"})
    for odd in ({"a-b": "x"}, {"a": "x y"}, {"a": '"'}):
        with pytest.raises(BadRequestException):
            check_variables(odd)


def test_which_service_a_uri_means() -> None:
    assert service_of("arn:aws:apigateway:us-east-1:sqs:path/0/q") == "sqs"
    assert service_of("arn:aws:apigateway:us-east-1:dynamodb:action/GetItem") == "dynamodb"
    assert service_of("arn:aws:lambda:x") is None


def test_what_is_another_servers_address() -> None:
    assert is_address("http://127.0.0.1:1/{proxy}")
    assert is_address("https://${stageVariables.host}/x")
    for odd in ("ftp://x", "//x", "http://", "x"):
        assert not is_address(odd)
