"""Messages as a function gets them, and what its answer says of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alight.errors.common import ValidationException
from alight.errors.lambda_ import InvalidParameterValueException
from alight.services.lambda_ import mapping_rules
from alight.services.lambda_.batches import event_of, failures, record_of
from alight.services.lambda_.event_filters import read_patterns, wants
from alight.store.queues import QueuedMessage

IDS = frozenset({"a", "b"})


def message(body: str = "hello", **attributes: dict[str, str]) -> QueuedMessage:
    return QueuedMessage(7, "m1", "sightings", body, attributes, "AIDA", 10.5, 40.0, 2, 11.0, "0" * 32, "earlier")


def test_a_record_has_lambdas_members() -> None:
    record = record_of(message(Size={"DataType": "Number", "StringValue": "3"}))
    assert record["attributes"] == {
        "ApproximateReceiveCount": "2",
        "SentTimestamp": "10500",
        "SenderId": "AIDA",
        "ApproximateFirstReceiveTimestamp": "11000",
        "DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:000000000000:earlier",
    }
    size = {"stringValue": "3", "stringListValues": [], "binaryListValues": [], "dataType": "Number"}
    assert record["messageAttributes"] == {"Size": size}
    assert (record["eventSource"], record["awsRegion"], record["body"]) == ("aws:sqs", "us-east-1", "hello")
    assert record["md5OfBody"] == "5d41402abc4b2a76b9719d911017c592"
    assert "md5OfMessageAttributes" not in record_of(message())


def test_an_event_holds_as_many_records_as_fit_and_at_least_one() -> None:
    records = [{"body": "x" * 100}] * 5
    whole, count = event_of(records)
    assert (json.loads(whole), count) == ({"Records": records}, 5)
    part, count = event_of(records, limit=300)
    assert (json.loads(part), count) == ({"Records": records[:2]}, 2)
    assert len(part) <= 300
    assert event_of(records, limit=10)[1] == 1


@pytest.mark.parametrize("answer", [b"", b"null", b'""', b"{}", b'{"batchItemFailures": null}', b'{"other": 1}'])
def test_an_answer_that_says_nothing_fails_none(answer: bytes) -> None:
    assert failures(answer, IDS) == frozenset()


@pytest.mark.parametrize("named", [[{"itemIdentifier": ""}], [{"itemIdentifier": None}], [{"id": "a"}], ["a"], "a", 1])
def test_an_answer_that_cannot_be_understood_fails_all(named: Any) -> None:
    assert failures(json.dumps({"batchItemFailures": named}).encode(), IDS) == IDS
    assert failures(b"[1]", IDS) == failures(b"{", IDS) == IDS


def test_an_answer_names_what_failed() -> None:
    one = {"itemIdentifier": "a"}
    assert failures(json.dumps({"batchItemFailures": [one, one]}).encode(), IDS) == {"a"}
    stranger = {"itemIdentifier": "c"}
    assert failures(json.dumps({"batchItemFailures": [one, stranger]}).encode(), IDS) == IDS


@pytest.mark.parametrize(
    ("pattern", "body", "wanted"),
    [
        ({"body": {"n": [{"numeric": [">", 5]}]}}, '{"n": 6}', True),
        ({"body": {"n": [{"numeric": [">", 5]}]}}, '{"n": 5}', False),
        ({"body": {"n": [{"exists": False}]}}, "plain text", False),
        ({"body": {"n": [{"exists": False}]}}, "{}", True),
        ({"body": ["plain text"]}, "plain text", True),
        ({"body": [{"prefix": "pla"}]}, '{"n": 6}', False),
        ({"messageAttributes": {"Kind": {"stringValue": ["duck"]}}}, "any", True),
    ],
)
def test_patterns_look_into_bodies_and_records(pattern: dict[str, Any], body: str, wanted: bool) -> None:
    patterns = read_patterns({"Filters": [{"Pattern": json.dumps(pattern)}]})
    record = record_of(message(body, Kind={"DataType": "String", "StringValue": "duck"}))
    assert wants(patterns, record) is wanted


@pytest.mark.parametrize("pattern", ["", "[]", "{}", '{"body": "text"}', '{"body": [{"like": "x"}]}', "[" * 100_000])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidParameterValueException, match="Invalid filter pattern definition"):
        read_patterns({"Filters": [{"Pattern": pattern}]})


def test_settings_are_checked_and_go_when_they_are_given_empty() -> None:
    made = mapping_rules.settings({"ScalingConfig": {"MaximumConcurrency": 2}}, mapping_rules.DEFAULTS)
    assert mapping_rules.batching(made | {"EventSourceArn": "q"}).most == 2
    assert "ScalingConfig" not in mapping_rules.settings({"ScalingConfig": {}}, made)
    for bad in ({"BatchSize": 0}, {"ScalingConfig": {"MaximumConcurrency": 1}}, {"FunctionResponseTypes": ["x"]}):
        with pytest.raises(ValidationException):
            mapping_rules.settings(bad, mapping_rules.DEFAULTS)
    with pytest.raises(InvalidParameterValueException, match="greater than 0"):
        mapping_rules.settings({"BatchSize": 11}, mapping_rules.DEFAULTS)
