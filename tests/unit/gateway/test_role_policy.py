"""What a role may do where a service acts with it: its own policies and the resource's, either of which may deny."""

from __future__ import annotations

from typing import Any

import pytest

from alight.clock import ManualClock
from alight.gateway.role_policy import roles

QUEUE = "arn:aws:sqs:us-east-1:000000000000:told"
ROLE = "arn:aws:iam::000000000000:role/teller"


def policy(effect: str, **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Action": "sqs:SendMessage", "Resource": QUEUE, **more}]}


@pytest.mark.parametrize(
    ("own", "theirs", "may"),
    [
        ([], [], False),
        ([policy("Allow")], [], True),
        ([policy("Allow"), policy("Deny")], [], False),
        ([], [policy("Allow", Principal={"AWS": ROLE})], True),
        ([], [policy("Allow", Principal={"AWS": f"{ROLE}-other"})], False),
        ([policy("Allow")], [policy("Deny", Principal="*")], False),
        ([policy("Deny")], [policy("Allow", Principal={"AWS": ROLE})], False),
    ],
)
def test_either_allows_and_either_denies(own: list[Any], theirs: list[Any], may: bool) -> None:
    judge = roles(lambda role: own, ManualClock(), lambda resource: theirs)
    assert judge("teller", "sqs:SendMessage", QUEUE) is may


def test_conditions_see_the_role() -> None:
    condition = {"ArnEquals": {"aws:PrincipalArn": ROLE}}
    judge = roles(lambda role: [policy("Allow", Condition=condition)], ManualClock())
    assert judge("teller", "sqs:SendMessage", QUEUE)
    assert not judge("other", "sqs:SendMessage", QUEUE)
