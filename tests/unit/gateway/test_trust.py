"""Trust policies: which services may take a role."""

from __future__ import annotations

from typing import Any

import pytest

from alight.gateway.trust import service_may_assume

LAMBDA = {"Service": "lambda.amazonaws.com"}
OWN = {"StringEquals": {"aws:SourceAccount": "000000000000"}}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ({"Principal": LAMBDA}, True),
        ([{"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}, {"Principal": LAMBDA}], True),
        ({"Principal": {"Service": ["sagemaker.amazonaws.com", "lambda.amazonaws.com"]}}, True),
        ({"Principal": LAMBDA, "Action": ["sts:AssumeRole", "sts:TagSession"]}, True),
        ({"Principal": LAMBDA, "Condition": OWN}, True),
        ({"Principal": LAMBDA, "Condition": {"StringEquals": {"aws:SourceAccount": "1" * 12}}}, False),
        ({"Principal": LAMBDA, "Action": "sts:TagSession"}, False),
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}}, False),
        ({"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}, False),
        ([{"Principal": LAMBDA}, {"Principal": LAMBDA, "Effect": "Deny"}], False),
        ([], False),
    ],
)
def test_services(statements: Any, expected: bool) -> None:
    listed = statements if isinstance(statements, list) else [statements]
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **one} for one in listed]}
    role = "arn:aws:iam::000000000000:role/r"
    assert service_may_assume(trust, "lambda.amazonaws.com", role, {"aws:SourceAccount": "0" * 12}) is expected
