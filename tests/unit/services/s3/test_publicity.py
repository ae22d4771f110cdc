"""When is a policy public, and what does a template's plan say of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alight.services.s3.publicity import opening, policy_is_public


def policy(**more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    return {"Version": "2012-10-17", "Statement": [{**statement, **more}]}


@pytest.mark.parametrize(
    ("statement", "is_public"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": ["000000000000", "*"]}}, True),
        ({"Principal": {"AWS": "000000000000"}}, False),
        ({"Principal": {"Service": "cloudfront.amazonaws.com"}}, False),
        ({"Effect": "Deny"}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/0"]}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "::/0"}}}, True),
        ({"Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, True),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
        ({"Condition": {"StringLike": {"aws:PrincipalOrgID": "o-*"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceArn": "${aws:PrincipalArn}"}}}, True),
        ({"Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}}, True),
        ({"Condition": {"StringLike": {"aws:Referer": "http://mine.example/"}}}, True),
        (
            {
                "Condition": {
                    "StringLike": {"aws:Referer": "http://x/"},
                    "StringEquals": {"aws:SourceAccount": "1" * 12},
                }
            },
            False,
        ),
    ],
)
def test_what_is_public(statement: dict[str, Any], is_public: bool) -> None:
    assert policy_is_public(policy(**statement)) is is_public


def test_negated_principals_are_public() -> None:
    document = policy(NotPrincipal={"AWS": "000000000000"})
    del document["Statement"][0]["Principal"]
    assert policy_is_public(document)
    assert policy_is_public({"Statement": document["Statement"][0]})


def test_what_a_plan_says() -> None:
    said = opening("AWS::S3::BucketPolicy", {"Bucket": "site", "PolicyDocument": policy()})
    assert said == "makes the bucket site public: everybody may s3:GetObject."
    as_text = {"Bucket": "site", "PolicyDocument": json.dumps(policy(Action=["s3:GetObject", "s3:ListBucket"]))}
    assert opening("AWS::S3::BucketPolicy", as_text).endswith("everybody may s3:GetObject, s3:ListBucket.")
    assert opening("AWS::S3::BucketPolicy", {"Bucket": "b", "PolicyDocument": policy(Effect="Deny")}) == ""
    assert opening("AWS::S3::BucketPolicy", {"Bucket": "b", "PolicyDocument": "nonsense"}) == ""
    assert "list" in opening("AWS::S3::Bucket", {"AccessControl": "PublicRead"})
    assert opening("AWS::S3::Bucket", {}) == ""
    assert opening("AWS::S3::Other", {}) == ""
