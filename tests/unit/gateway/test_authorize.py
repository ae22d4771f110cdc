"""Roles and the policies of resources, for any service: either allows, either denies, and the refusal says which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from alight.calls import ANONYMOUS, Call, Members, Principal
from alight.clock import ManualClock
from alight.errors import Fault
from alight.gateway.authorize import Authorizer, request_context, strangers

ROLE = Principal("role", "arn:aws:sts::000000000000:assumed-role/r/s", "AROA:s", "r", "w")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:jobs"


def policy(effect: str, **more: Any) -> Members:
    return {"Statement": {"Effect": effect, "Action": "sqs:SendMessage", "Resource": "*", **more}}


def asked(own: Sequence[Members], theirs: Sequence[Members], principal: Principal = ROLE) -> str:
    """The end of the refusal; nothing where it is allowed."""
    authorize = Authorizer(
        needs=lambda service, operation, given: [(f"{service}:{operation}", QUEUE)],
        policies_of=lambda role: own,
        clock=ManualClock(),
        resource_policies_of=lambda resource: theirs if resource == QUEUE else (),
    )
    try:
        authorize(Call("sqs", "SendMessage", "id", principal), {})
    except Fault as fault:
        return fault.message.partition(f" on resource: {QUEUE} ")[2]
    return ""


NOTHING = "because no identity-based policy allows the sqs:SendMessage action"
TO_ROLE = {"Principal": {"AWS": "arn:aws:iam::000000000000:role/r"}}


@pytest.mark.parametrize(
    ("own", "theirs", "expected"),
    [
        ([], [], NOTHING),
        ([policy("Allow")], [], ""),
        ([], [policy("Allow", **TO_ROLE)], ""),
        ([], [policy("Allow", Principal="*")], ""),
        ([], [policy("Allow", Principal={"AWS": "000000000000"})], NOTHING),
        ([], [policy("Allow", Principal={"Service": "s3.amazonaws.com"})], NOTHING),
        ([], [policy("Allow")], NOTHING),
        ([policy("Deny")], [policy("Allow", **TO_ROLE)], "with an explicit deny in an identity-based policy"),
        ([policy("Allow")], [policy("Deny", **TO_ROLE)], "with an explicit deny in a resource-based policy"),
        ([policy("Allow")], [policy("Deny")], "with an explicit deny in a resource-based policy"),
        ([policy("Allow")], [policy("Deny", Principal={"AWS": "arn:aws:iam::000000000000:role/other"})], ""),
    ],
)
def test_either_allows_and_either_denies(own: list[Members], theirs: list[Members], expected: str) -> None:
    assert asked(own, theirs) == expected


def test_other_policies_in_the_same_list_are_others() -> None:
    """Statements are remembered by the documents that they stand in, for each action."""
    own: list[Members] = []
    authorize = Authorizer(
        needs=lambda service, operation, given: [(f"{service}:{operation}", QUEUE)],
        policies_of=lambda role: own,
        clock=ManualClock(),
    )

    def may(operation: str) -> bool:
        try:
            authorize(Call("sqs", operation, "id", ROLE), {})
        except Fault:
            return False
        return True

    found = []
    for documents in ([], [policy("Allow")], [policy("Deny")], [policy("Allow")], [policy("Allow"), policy("Deny")]):
        own[:] = documents
        found.append((may("SendMessage"), may("ReceiveMessage"), may("SendMessage")))
    assert found == [(allowed, False, allowed) for allowed in (False, True, False, True, False)]


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Resource": "*"}, [True, True, True]),
        ({"Resource": "*", "Condition": {"StringEquals": {"aws:SourceIp": "10.0.0.1"}}}, [False, True, False]),
        ({"Resource": "arn:aws:sqs:*:*:${aws:SourceIp,'jobs'}"}, [False, False, False]),
        ({"Resource": "arn:aws:sqs:*:*:${aws:Referer,'jobs'}"}, [True, False, True]),
    ],
)
def test_what_depends_on_the_request_is_asked_each_time(statement: Members, allowed: list[bool]) -> None:
    """Answers are remembered where action and resource decide alone."""
    own = [{"Statement": {"Effect": "Allow", "Action": "sqs:SendMessage", **statement}}]
    authorize = Authorizer(
        needs=lambda service, operation, given: [(f"{service}:{operation}", QUEUE)],
        policies_of=lambda role: own,
        clock=ManualClock(),
    )

    def may(source_ip: str, **headers: str) -> bool:
        try:
            authorize(Call("sqs", "SendMessage", "id", ROLE, source_ip=source_ip, headers=headers), {})
        except Fault:
            return False
        return True

    assert [may("10.0.0.2"), may("10.0.0.1", referer="somebody"), may("10.0.0.2")] == allowed


def test_a_resource_s_policy_is_remembered_for_the_callers_that_it_means() -> None:
    theirs = [policy("Deny", Principal={"AWS": "arn:aws:iam::000000000000:role/other"})]
    authorize = Authorizer(
        needs=lambda service, operation, given: [(f"{service}:{operation}", QUEUE)],
        policies_of=lambda role: [policy("Allow")],
        clock=ManualClock(),
        resource_policies_of=lambda resource: theirs,
    )
    call = Call("sqs", "SendMessage", "id", ROLE)
    other = Principal("role", "arn:aws:sts::000000000000:assumed-role/other/s", "AROB:s", "other", "w")
    for _ in range(2):
        authorize(call, {})
        with pytest.raises(Fault, match="resource-based"):
            authorize(Call("sqs", "SendMessage", "id", other), {})


def test_the_owner_is_not_bound() -> None:
    root = Principal("root", "arn:aws:iam::000000000000:root", "ROOT")
    assert asked([], [policy("Deny", Principal="*")], root) == ""


def test_strangers_are_judged_by_the_resource_alone() -> None:
    judge = strangers(ManualClock())
    call = Call("sqs", "SendMessage", "id", ANONYMOUS, source_ip="10.0.0.1")

    def judged(document: Members, **keys: str) -> bool | None:
        return judge(document, "sqs:SendMessage", QUEUE, call, keys)

    assert judged(policy("Allow", Principal="*")) is True
    assert judged(policy("Deny", Principal="*")) is False
    assert judged(policy("Allow", **TO_ROLE)) is None
    tied = policy("Allow", Principal="*", Condition={"StringEquals": {"s3:prefix": "a"}})
    assert judged(tied) is None
    assert judged(tied, **{"s3:prefix": "a"}) is True


@pytest.mark.parametrize(
    ("source_ip", "base_url", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1", "true"),
        ("::1", "http://localhost", "true"),
        ("10.0.0.1", "http://alight.example", "false"),
        ("10.0.0.1", "https://alight.example", "true"),
        ("1270.0.0.1", "http://x", "false"),
    ],
)
def test_secure_transport(source_ip: str, base_url: str, expected: str) -> None:
    call = Call("s3", "GetObject", "id", ROLE, source_ip=source_ip, base_url=base_url)
    context = request_context(call, 0.0)
    assert context["aws:SecureTransport"] == expected
    assert context["aws:PrincipalArn"] == "arn:aws:iam::000000000000:role/r"
