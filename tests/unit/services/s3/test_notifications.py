"""Notification configuration: what S3 takes, what it refuses and in which words, and who is then told of what."""

from __future__ import annotations

from typing import Any

import pytest

from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.s3 import InvalidArgument, MalformedXML
from alight.events.match import Rule
from alight.store.database import Tx
from tests.unit.services.s3.conftest import Service

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
PUT = "s3:ObjectCreated:Put"


def function(*events: str, **filters: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"LambdaFunctionArn": FUNCTION, "Events": list(events)}
    if filters:
        rules = [{"Name": name, "Value": value} for name, value in filters.items()]
        rule["Filter"] = {"Key": {"FilterRules": rules}}
    return rule


async def configure(s3: Service, skip: bool | None = None, /, **configuration: Any) -> None:
    given: dict[str, Any] = {"Bucket": "photos", "NotificationConfiguration": configuration}
    await s3("PutBucketNotificationConfiguration", **given, SkipDestinationValidation=skip)


async def test_round_trip_and_replacement(s3: Service) -> None:
    await configure(s3, LambdaFunctionConfigurations=[function(PUT, prefix="birds/", SUFFIX=".jpg")])
    stored = await s3("GetBucketNotificationConfiguration", Bucket="photos")
    (rule,) = stored["LambdaFunctionConfigurations"]
    assert rule["Filter"]["Key"]["FilterRules"] == [
        {"Name": "Prefix", "Value": "birds/"},
        {"Name": "Suffix", "Value": ".jpg"},
    ]
    assert rule["Id"]
    await configure(s3)
    assert await s3("GetBucketNotificationConfiguration", Bucket="photos") == {}


async def test_events_reach_the_rule_that_wants_them(s3: Service) -> None:
    await configure(
        s3,
        LambdaFunctionConfigurations=[{**function(PUT, prefix="birds/"), "Id": "f"}],
        TopicConfigurations=[{"Id": "t", "TopicArn": TOPIC, "Events": ["s3:ObjectRemoved:*"]}],
        QueueConfigurations=[
            {
                "Id": "q",
                "QueueArn": QUEUE,
                "Events": ["s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:ObjectCreated:Copy"],
            }
        ],
    )
    announced = [(target, payload["Event"]) for target, payload, _ in s3.emitted]
    assert announced == [(TOPIC, "s3:TestEvent"), (QUEUE, "s3:TestEvent")]
    s3.emitted.clear()

    await s3.put("birds/my card.jpg", b"12345")
    await s3.put("fish/carp.jpg")
    await s3("PutObjectAcl", Bucket="photos", Key="birds/my card.jpg", ACL="private")
    await s3("DeleteObject", Bucket="photos", Key="birds/my card.jpg")
    await s3("DeleteObject", Bucket="photos", Key="birds/my card.jpg")  # nothing there: nothing to tell

    told = [(target, rule, payload["Records"][0]["eventName"]) for target, payload, rule in s3.emitted]
    assert told == [
        (FUNCTION, "f", "ObjectCreated:Put"),
        (QUEUE, "q", "ObjectAcl:Put"),
        (TOPIC, "t", "ObjectRemoved:Delete"),
    ]
    put, acl, removed = (record["s3"]["object"] for record in s3.records())
    assert put["key"] == "birds/my+card.jpg"
    assert put["size"] == 5
    assert set(acl) == {"key", "eTag"}
    assert set(removed) == {"key", "sequencer"}
    assert removed["sequencer"] > put["sequencer"]
    assert s3.records()[0]["requestParameters"] == {"sourceIPAddress": "10.0.0.7"}
    assert s3.records()[0]["userIdentity"] == {"principalId": "AWS:AIDAROOT"}
    assert s3.records()[0]["s3"]["configurationId"] == "f"


async def test_sequencers_grow_with_every_put(s3: Service) -> None:
    await s3.watch(PUT)
    for _ in range(5):
        await s3.put("k")
    order = [record["s3"]["object"]["sequencer"] for record in s3.records()]
    assert order == sorted(set(order))


async def test_targets_that_were_told_are_not_told_again(s3: Service) -> None:
    topic = {"Id": "t", "TopicArn": TOPIC, "Events": [PUT]}
    await configure(s3, TopicConfigurations=[topic])
    await configure(s3, TopicConfigurations=[{**topic, "Events": ["s3:ObjectCreated:*"]}])
    assert len(s3.emitted) == 1


async def test_deleting_many_tells_of_each(s3: Service) -> None:
    await s3.watch("s3:ObjectRemoved:*")
    for key in "abc":
        await s3.put(key)
    wanted = {"Objects": [{"Key": key} for key in ("a", "b", "nothing", "k" * 1025)] + [{"Key": "c", "ETag": "x"}]}
    reply = await s3("DeleteObjects", Bucket="photos", Delete=wanted)
    assert reply["Deleted"] == [{"Key": "a"}, {"Key": "b"}, {"Key": "nothing"}]
    assert [row["Code"] for row in reply["Errors"]] == ["KeyTooLongError", "PreconditionFailed"]
    assert [record["s3"]["object"]["key"] for record in s3.records()] == ["a", "b"]
    assert await s3.keys() == ["c"]
    assert "Deleted" not in await s3("DeleteObjects", Bucket="photos", Delete={**wanted, "Quiet": True})
    for wrong in ([], [{"Key": "k"}] * 1001, [{"Key": ""}]):
        with pytest.raises(MalformedXML):
            await s3("DeleteObjects", Bucket="photos", Delete={"Objects": wrong})


@pytest.mark.parametrize(
    ("configuration", "fault", "words"),
    [
        ({"EventBridgeConfiguration": {}}, NotImplemented_, "EventBridgeConfiguration"),
        ({"LambdaFunctionConfigurations": [function("s3:ObjectEaten:*")]}, InvalidArgument, "event is not supported"),
        ({"LambdaFunctionConfigurations": [function()]}, MalformedXML, "not well-formed"),
        ({"LambdaFunctionConfigurations": [function(PUT, middle="x")]}, InvalidArgument, "either prefix or suffix"),
        ({"LambdaFunctionConfigurations": [function(PUT, Prefix="a", prefix="b")]}, InvalidArgument, "more than one"),
        ({"LambdaFunctionConfigurations": [function(PUT, prefix="x" * 1025)]}, InvalidArgument, "1024"),
        ({"LambdaFunctionConfigurations": [{**function(PUT), "Id": "i" * 256}]}, InvalidArgument, "255"),
        ({"LambdaFunctionConfigurations": [{**function(PUT), "LambdaFunctionArn": "f"}]}, InvalidArgument, "parsed"),
        ({"LambdaFunctionConfigurations": [{**function(PUT), "LambdaFunctionArn": TOPIC}]}, InvalidArgument, "formed"),
        ({"LambdaFunctionConfigurations": [function(PUT), function(PUT)]}, InvalidArgument, "common event type"),
        (
            {"LambdaFunctionConfigurations": [function(PUT, prefix="a/"), function(PUT, prefix="a/b")]},
            InvalidArgument,
            "overlapping suffixes",
        ),
        (
            {
                "LambdaFunctionConfigurations": [function(PUT)],
                "QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}],
            },
            InvalidArgument,
            "common event type",
        ),
        (
            {
                "LambdaFunctionConfigurations": [
                    {**function(PUT), "Id": "same"},
                    {**function("s3:ObjectRemoved:*"), "Id": "same"},
                ]
            },
            InvalidArgument,
            "unique",
        ),
    ],
)
async def test_refused(s3: Service, configuration: dict[str, Any], fault: type[Fault], words: str) -> None:
    with pytest.raises(fault, match=words):
        await configure(s3, **configuration)
    assert await s3("GetBucketNotificationConfiguration", Bucket="photos") == {}


async def test_unknown_targets_are_named_together(s3: Service) -> None:
    s3.missing = {FUNCTION: "The function is not there", QUEUE: "The destination queue does not exist"}
    given: dict[str, Any] = {
        "LambdaFunctionConfigurations": [function(PUT)],
        "QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectRemoved:*"]}],
    }
    with pytest.raises(InvalidArgument, match="Unable to validate the following destination") as refused:
        await configure(s3, None, **given)
    assert refused.value.members == {
        "ArgumentName1": FUNCTION,
        "ArgumentValue1": "The function is not there",
        "ArgumentName2": QUEUE,
        "ArgumentValue2": "The destination queue does not exist",
    }
    await configure(s3, True, **given)
    assert s3.emitted == []


async def test_an_emit_that_fails_takes_the_object_back(s3: Service) -> None:
    await s3.watch(PUT)
    await s3.put("k", b"before")

    def fail(*_: object) -> None:
        raise RuntimeError("no room in the journal")

    s3.emit = fail
    with pytest.raises(RuntimeError):
        await s3.put("k", b"after" * 20_000)
    assert await s3.get("k") == b"before"
    assert s3.files() == []


async def test_deleting_many_is_undone_where_one_cannot_be_told(s3: Service) -> None:
    for key in "ab":
        await s3.put(key)
    await s3.watch("s3:ObjectRemoved:*")

    def fail(tx: Tx, target: str, payload: Any, rule: Rule) -> None:
        if payload["Records"][0]["s3"]["object"]["key"] == "b":
            raise InvalidArgument("the target does not take this")

    s3.emit = fail
    with pytest.raises(InvalidArgument):
        await s3("DeleteObjects", Bucket="photos", Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    assert await s3.keys() == ["a", "b"]
