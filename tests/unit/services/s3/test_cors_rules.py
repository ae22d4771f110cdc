"""CORS rules as a table, and against a slower reading of the same words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.errors import Fault
from alight.services.s3.cors import answer, checked, fitting


def rule(*origins: str, methods: Any = ("GET",), headers: Any = (), **more: Any) -> dict[str, Any]:
    given = {"AllowedOrigins": list(origins), "AllowedMethods": list(methods), "AllowedHeaders": list(headers), **more}
    return checked([given])[0]


@pytest.mark.parametrize(
    ("pattern", "origin", "fits"),
    [
        ("*", "https://a.example", True),
        ("*", "null", True),
        ("https://a.example", "https://a.example", True),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "http://a.example", False),
        ("https://*.a.example", "https://x.a.example", True),
        ("https://*.a.example", "https://a.example", False),
        ("https://*.a.example", "https://x.a.example.evil", False),
        ("http://*", "https://a.example", False),
        ("ab*ba", "aba", False),
    ],
)
def test_origins(pattern: str, origin: str, fits: bool) -> None:
    assert (fitting([rule(pattern)], origin, "GET", ()) is not None) is fits


@pytest.mark.parametrize(
    ("allowed", "wanted", "fits"),
    [
        ([], [], True),
        ([], ["x-a"], False),
        (["*"], ["x-a", "content-type"], True),
        (["X-Amz-*"], ["x-amz-date"], True),
        (["x-amz-*"], ["x-amz-date", "x-b"], False),
        (["Content-Type"], ["content-type"], True),
    ],
)
def test_headers(allowed: list[str], wanted: list[str], fits: bool) -> None:
    assert (fitting([rule("*", headers=allowed)], "x", "GET", wanted) is not None) is fits


def test_the_first_rule_that_fits_answers() -> None:
    rules = [rule("https://a", methods=["PUT"]), rule("https://a", ID="2"), rule("*", ID="3")]
    found = fitting(rules, "https://a", "GET", ())
    assert found is not None
    assert found["ID"] == "2"
    assert answer(rules[2], "https://z")["access-control-allow-origin"] == "*"
    assert answer(rules[1], "https://a")["access-control-allow-origin"] == "https://a"
    assert fitting(rules, "https://a", "DELETE", ()) is None


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], "MalformedXML"),
        ([{"AllowedOrigins": ["*"]}], "MalformedXML"),
        ([{"AllowedMethods": ["GET"]}], "MalformedXML"),
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["PATCH"]}], "InvalidRequest"),
        ([{"AllowedOrigins": ["*.*"], "AllowedMethods": ["GET"]}], "InvalidRequest"),
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*-*"]}], "InvalidRequest"),
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposeHeaders": ["*"]}], "InvalidRequest"),
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposeHeaders": ["a\r\nb"]}], "InvalidRequest"),
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ID": "i" * 256}], "MalformedXML"),
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}] * 101, "MalformedXML"),
    ],
)
def test_rules_that_are_none(rules: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(Fault) as told:
        checked(rules)
    assert told.value.code == code


LETTERS = st.text(alphabet="ab*", max_size=5).filter(lambda text: text.count("*") < 2)


@given(LETTERS, st.text(alphabet="ab", max_size=6))
def test_a_pattern_means_what_a_regular_expression_means(pattern: str, origin: str) -> None:
    wanted = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), origin) is not None
    assert (fitting([rule(pattern)], origin, "GET", ()) is not None) is wanted
