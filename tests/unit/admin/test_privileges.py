"""The least policy, and what is beyond it."""

from __future__ import annotations

from typing import Any

from alight.admin.privileges import beyond, policy, widened
from alight.gateway.policy import allowed

QUEUE, TOPIC = "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:sns:us-east-1:000000000000:t"
LOGS = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f"


def test_keys_become_their_bucket_and_nothing_else_is_widened() -> None:
    assert widened({("s3:GetObject", "arn:aws:s3:::b/birds/a"), ("s3:GetObject", "arn:aws:s3:::b/c")}) == {
        ("s3:GetObject", "arn:aws:s3:::b/*")
    }
    assert widened({("s3:ListBucket", "arn:aws:s3:::b"), ("sqs:SendMessage", QUEUE), ("sqs:ListQueues", "*")}) == {
        ("s3:ListBucket", "arn:aws:s3:::b"),
        ("sqs:SendMessage", QUEUE),
        ("sqs:ListQueues", "*"),
    }
    assert widened({("logs:PutLogEvents", f"{LOGS}:log-stream:x")}) == {("logs:PutLogEvents", f"{LOGS}:*")}


def test_what_the_role_says_of_a_bucket_is_kept() -> None:
    needs = {("s3:GetObject", "arn:aws:s3:::b/birds/1.jpg"), ("s3:GetObject", "arn:aws:s3:::c/birds/1.jpg")}
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": ["arn:aws:s3:::b/birds/*", "arn:aws:s3:::b/*"],
    }
    assert widened(needs, [("own", {"Statement": statement})]) == {
        ("s3:GetObject", "arn:aws:s3:::b/birds/*"),
        ("s3:GetObject", "arn:aws:s3:::c/*"),
    }


def test_statements_are_as_few_as_say_it() -> None:
    needs = {("a:Read", "x"), ("a:Write", "x"), ("a:Read", "y"), ("a:Write", "y"), ("b:Do", "z")}
    assert policy(needs)["Statement"] == [
        {"Effect": "Allow", "Action": ["a:Read", "a:Write"], "Resource": ["x", "y"]},
        {"Effect": "Allow", "Action": "b:Do", "Resource": "z"},
    ]


def test_beyond_is_what_nobody_needed_and_what_is_wider() -> None:
    needs = {("sqs:SendMessage", QUEUE)}
    exact = {"Effect": "Allow", "Action": ["SQS:SendMessage", "sqs:PurgeQueue"], "Resource": QUEUE}
    wide = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    all_but = {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": TOPIC}
    policies: list[tuple[str, Any]] = [
        ("own", {"Statement": [exact, deny]}),
        ("wide", {"Statement": wide}),
        ("n", {"Statement": all_but}),
    ]
    found = beyond(policies, needs, needs, allowed)
    assert found == [
        {"policy": "own", "action": "sqs:PurgeQueue", "resource": QUEUE, "used": False},
        {"policy": "wide", "action": "sqs:*", "resource": "*", "used": True},
        {"policy": "n", "action": "all but iam:*", "resource": TOPIC, "used": False},
    ]
