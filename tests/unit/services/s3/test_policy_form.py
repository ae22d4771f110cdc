"""Bucket policies that are none, and the words that S3 has for each."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.errors.s3 import MalformedPolicy
from alight.services.s3.policy_form import LARGEST, read_policy

GOOD: dict[str, Any] = {
    "Sid": "1",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::site/*",
}
JSON = "Policies must be valid JSON and the first byte must be '{'"


def said(text: str) -> str:
    with pytest.raises(MalformedPolicy) as told:
        read_policy(text, "site")
    return told.value.message


def written(**more: Any) -> str:
    statement = {name: value for name, value in {**GOOD, **more}.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"Principal": None}, "Missing required field Principal"),
        ({"Action": None}, "Missing required field Action"),
        ({"Resource": None}, "Missing required field Resource"),
        ({"Effect": None}, "Missing required field Effect"),
        ({"Effect": "Maybe"}, "Invalid effect: Maybe"),
        ({"Color": "red"}, "Unknown field Color"),
        ({"Principal": {"AWS": "somebody"}}, "Invalid principal in policy"),
        ({"Principal": {"AWS": []}}, "Invalid principal in policy"),
        ({"Principal": {"Aws": "*"}}, "Invalid principal in policy"),
        ({"Principal": {}}, "Invalid principal in policy"),
        ({"Principal": "arn:aws:iam::000000000000:root"}, "Invalid principal in policy"),
        ({"NotPrincipal": "*"}, "Statement contains both Principal and NotPrincipal"),
        ({"Action": "sns:Publish"}, "Policy has invalid action"),
        ({"Action": []}, "Policy has invalid action"),
        ({"Action": {"a": 1}}, "Policy has invalid action"),
        ({"Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::sit/*"}, "Policy has invalid resource"),
        ({"Resource": "site/*"}, "Policy has invalid resource"),
        ({"Resource": []}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::site"}, "Action does not apply to any resource(s) in statement"),
        ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Action": ["s3:GetObject", "s3:ListBucket"]}, "Action does not apply to any resource(s) in statement"),
        ({"Condition": {"Sometimes": {"aws:SourceIp": "1.2.3.4"}}}, "Invalid Condition type : Sometimes"),
        ({"Condition": {"Bool": {"weather": "fine"}}}, "Policy has an invalid condition key - weather"),
        ({"Condition": ["Bool"]}, "Invalid policy syntax."),
    ],
)
def test_statements(more: dict[str, Any], words: str) -> None:
    assert said(written(**more)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", JSON),
        ("[]", JSON),
        (' {"Statement": []}', JSON),
        ('{"Statement": ', JSON),
        ("{" * 5000, JSON),
        ("{}", "Missing required field Statement"),
        ('{"Statement": []}', "Could not parse the policy: Statement is empty!"),
        ('{"Statement": ["x"]}', "Invalid policy syntax."),
        ('{"Statement": [], "Extra": 1}', "Unknown field Extra"),
        ('{"Version": "2024-01-01", "Statement": []}', "The policy must contain a valid version string"),
    ],
)
def test_documents(text: str, words: str) -> None:
    assert said(text) == words


def test_the_size() -> None:
    room = LARGEST - len(written(Sid=""))
    assert read_policy(written(Sid="s" * room), "site")
    assert "maximum allowed size of 20480 bytes" in said(written(Sid="s" * (room + 1)))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Principal": {"AWS": ["000000000000", "arn:aws:iam::000000000000:role/a/b"]}},
        {"Principal": {"Service": "cloudfront.amazonaws.com"}},
        {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::site", "arn:aws:s3:::site/*"]},
        {"Action": "s3:*", "Resource": "arn:aws:s3:::site"},
        {"Resource": "*"},
        {"Resource": "arn:aws:s3:::s*"},
        {"Condition": {"ForAnyValue:StringLikeIfExists": {"aws:Referer": ["a", "b"]}, "Null": {"s3:prefix": True}}},
    ],
)
def test_what_is_taken(more: dict[str, Any]) -> None:
    assert read_policy(written(**more), "site")["Statement"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "Condition"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(JSON_VALUES, st.sampled_from([*GOOD, "Condition", "NotPrincipal", "NotAction"]))
def test_anything_is_taken_or_refused_in_words(value: Any, name: str) -> None:
    for text in (json.dumps({"Statement": value}), written(**{name: value})):
        with suppress(MalformedPolicy):
            assert read_policy(text, "site") == json.loads(text)
