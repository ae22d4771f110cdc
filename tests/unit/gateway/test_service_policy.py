"""Which statements of a resource's policy speak of another service, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from alight.gateway.service_policy import service_may

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:classify"


@pytest.mark.parametrize(
    ("more", "source", "expected"),
    [
        ({"Principal": {"Service": "apigateway.amazonaws.com"}}, "api/prod/GET/x", True),
        ({"Principal": {"Service": ["sns.amazonaws.com", "apigateway.amazonaws.com"]}}, "api/prod/GET/x", True),
        ({"Principal": "*"}, "api/prod/GET/x", True),
        ({"Principal": {"Service": "s3.amazonaws.com"}}, "api/prod/GET/x", False),
        ({"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}, "api/prod/GET/x", False),
        ({}, "api/prod/GET/x", False),
        ({"Principal": {"Service": "apigateway.amazonaws.com"}, "Effect": "Deny"}, "api/prod/GET/x", False),
        ({"Principal": {"Service": "apigateway.amazonaws.com"}, "Condition": "api/*/GET/*"}, "api/prod/GET/x/y", True),
        ({"Principal": {"Service": "apigateway.amazonaws.com"}, "Condition": "api/*/GET/*"}, "api/prod/PUT/x", False),
        ({"Principal": {"Service": "apigateway.amazonaws.com"}, "Condition": "other/*"}, "api/prod/GET/x", False),
    ],
)
def test_another_service_may_where_the_policy_names_it(more: dict[str, Any], source: str, expected: bool) -> None:
    arn = "arn:aws:execute-api:us-east-1:000000000000:"
    if "Condition" in more:
        more = more | {"Condition": {"ArnLike": {"AWS:SourceArn": f"{arn}{more['Condition']}"}}}
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": FUNCTION} | more
    context = {"aws:SourceArn": f"{arn}{source}", "aws:SourceAccount": "000000000000"}
    asked = ("apigateway.amazonaws.com", "lambda:InvokeFunction", FUNCTION, context)
    assert service_may({"Version": "2012-10-17", "Statement": [statement]}, *asked) is expected


@pytest.mark.parametrize(
    ("spared", "expected"),
    [({"Service": "s3.amazonaws.com"}, True), ({"Service": "sns.amazonaws.com"}, False), ({"AWS": "1" * 12}, False)],
)
def test_a_denial_of_all_but_some_denies_services_too(spared: dict[str, str], expected: bool) -> None:
    base = {"Action": "lambda:InvokeFunction", "Resource": FUNCTION}
    statements = [{"Effect": "Allow", "Principal": "*", **base}, {"Effect": "Deny", "NotPrincipal": spared, **base}]
    asked = ("s3.amazonaws.com", "lambda:InvokeFunction", FUNCTION, {"aws:SourceAccount": "0" * 12})
    assert service_may({"Statement": statements}, *asked) is expected
    open_to_others = [{"Effect": "Allow", "NotPrincipal": spared, **base}]
    assert not service_may({"Statement": open_to_others}, *asked)
