"""Whoever asked for a stack is the same after the record was written and read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from alight.calls import Principal, Session
from alight.stacks.service.ground import caller, restored

ROLE = Principal("role", "arn:aws:sts::000000000000:assumed-role/r/s", "AROA:s", role="r", worker="w", path="/p/")


@pytest.mark.parametrize(
    "principal",
    [
        Principal("root", "arn:aws:iam::000000000000:root", "000000000000"),
        Principal("user", "arn:aws:iam::000000000000:user/ann", "AIDA", user="ann", key_id="AKIA"),
        replace(ROLE, session=Session(1.0)),
        replace(ROLE, session=Session(1.0, ('{"Statement": []}',), ("arn:aws:iam::aws:policy/ReadOnlyAccess",))),
    ],
)
def test_the_caller_of_a_stack_is_kept_with_what_narrows_it(principal: Principal) -> None:
    assert restored(json.loads(json.dumps(caller(principal)))) == replace(principal, worker=None)
