"""Policies of topics and queues: what they say, whom they let in, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Call, Principal
from alight.clock import ManualClock
from alight.errors import Fault
from alight.gateway.authorize import Authorizer
from alight.gateway.service_policy import service_may
from alight.services.permission_statements import OutOfScope, check_form
from alight.services.permissions import needs
from alight.services.resource_policies import PUBLISH, S3, SEND, SNS, ResourcePolicies
from alight.store.database import Database
from alight.store.records import Records

QUEUE = "arn:aws:sqs:us-east-1:000000000000:jobs"
TOPIC = "arn:aws:sns:us-east-1:000000000000:seen"
BUCKET = "arn:aws:s3:::photos"
WORKER = Principal("role", "arn:aws:sts::000000000000:assumed-role/w/f", "AROA", "w", "worker")


def statement(effect: str = "Allow", **fields: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": {"Service": S3}, "Action": SEND, "Resource": QUEUE} | fields


class Kept:
    """Topics and queues with a policy, and who may use them."""

    def __init__(self, database: Database) -> None:
        self._records = Records(database)
        self.policies = ResourcePolicies(self._records, service_may)
        self._authorize = Authorizer(
            needs=needs,
            policies_of=lambda role: (),
            clock=ManualClock(),
            resource_policies_of=self.policies.policies_of,
        )

    async def put(self, arn: str, *statements: dict[str, Any]) -> None:
        kind, name = ("sqs:queue", arn.rpartition(":")[2]) if ":sqs:" in arn else ("sns:topic", arn)
        policy = json.dumps({"Statement": list(statements)}) if statements else ""
        await self._records.save(kind, name, {"Settings": {"Policy": policy}})

    def refused(self, operation: str, **given: Any) -> str:
        call = Call("sqs" if "QueueUrl" in given else "sns", operation, "request", WORKER)
        try:
            self._authorize(call, given)
        except Fault as fault:
            return fault.message
        return ""


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    database = await Database.open(tmp_path, ManualClock())
    yield Kept(database)
    await database.close()


async def test_a_queue_without_a_policy_lets_no_service_in(kept: Kept) -> None:
    await kept.put(QUEUE)
    assert not kept.policies.admits(S3, SEND, QUEUE, BUCKET)
    assert not kept.policies.admits(S3, SEND, QUEUE + "-gone", BUCKET)
    await kept.put(QUEUE, statement())
    assert kept.policies.admits(S3, SEND, QUEUE, BUCKET)
    assert not kept.policies.admits(SNS, SEND, QUEUE, TOPIC)
    await kept.put(QUEUE, statement(), statement("Deny"))
    assert not kept.policies.admits(S3, SEND, QUEUE, BUCKET)


@pytest.mark.parametrize(
    ("condition", "admitted"),
    [
        ({"ArnEquals": {"aws:SourceArn": BUCKET}}, True),
        ({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:*:*:photos"}}, True),
        ({"ArnEquals": {"aws:SourceArn": BUCKET + "-other"}}, False),
        ({"StringEquals": {"aws:SourceAccount": "000000000000"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "111111111111"}}, False),
    ],
)
async def test_the_source_counts(kept: Kept, condition: dict[str, Any], admitted: bool) -> None:
    await kept.put(QUEUE, statement(Condition=condition))
    assert kept.policies.admits(S3, SEND, QUEUE, BUCKET) is admitted


async def test_a_new_topic_is_its_owners_alone(kept: Kept) -> None:
    await kept.put(TOPIC)
    assert not kept.policies.admits(S3, PUBLISH, TOPIC, BUCKET)
    assert "no identity-based policy allows the sns:Publish action" in kept.refused("Publish", TopicArn=TOPIC)
    await kept.put(TOPIC, statement(Action="SNS:Publish", Resource=TOPIC))
    assert kept.policies.admits(S3, PUBLISH, TOPIC, BUCKET)


async def test_a_role_is_let_in_by_the_queue_and_kept_out_by_it(kept: Kept) -> None:
    url = {"QueueUrl": "http://127.0.0.1:4566/000000000000/jobs"}
    await kept.put(QUEUE)
    assert kept.refused("SendMessage", **url)
    role = {"AWS": "arn:aws:iam::000000000000:role/w"}
    await kept.put(QUEUE, statement(Principal=role))
    assert not kept.refused("SendMessage", **url)
    assert not kept.refused("SendMessageBatch", **url)
    assert kept.refused("ReceiveMessage", **url)
    await kept.put(QUEUE, statement(Principal=role), statement("Deny", Principal="*", Action="sqs:*"))
    assert "explicit deny in a resource-based policy" in kept.refused("SendMessage", **url)


@pytest.mark.parametrize(
    "policy",
    [
        "{}",
        "[]",
        "{",
        '{"Statement": []}',
        json.dumps({"Version": "2020-01-01", "Statement": statement()}),
        json.dumps({"Statement": statement("Perhaps")}),
        json.dumps({"Statement": statement(Principal={})}),
        json.dumps({"Statement": statement(Principal="somebody")}),
        json.dumps({"Statement": statement(Action=[])}),
        json.dumps({"Statement": statement(Condition={"Looks": {"aws:SourceArn": "x"}})}),
    ],
)
def test_what_is_no_policy_is_refused(policy: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_form(policy, "sqs")


def test_actions_of_other_services_are_out_of_scope() -> None:
    check_form(json.dumps({"Statement": statement(Action="*")}), "sqs")
    with pytest.raises(OutOfScope):
        check_form(json.dumps({"Statement": statement(Action="sns:Publish")}), "sqs")
