"""What may be published, and what is refused in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.notifications.conftest import OpenHouse
from tests.unit.services.sns.test_topics import refusal


def attribute(**members: Any) -> dict[str, Any]:
    return {"Message": "x", "MessageAttributes": {"a": members}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Message": ""}, "Invalid parameter: Empty message"),
        ({"Message": "x", "Subject": ""}, "Invalid parameter: Subject"),
        ({"Message": "x", "Subject": "x" * 101}, "Invalid parameter: Subject"),
        ({"Message": "x", "Subject": "a\nb"}, "Invalid parameter: Subject"),
        ({"Message": "x", "Subject": "a\x07"}, "Invalid parameter: Subject"),
        ({"Message": "x" * 262_145}, "Invalid parameter: Message too long"),
        ({"Message": "ä" * 131_073}, "Invalid parameter: Message too long"),
        (
            {"Message": "x" * 262_140, "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}},
            "Invalid parameter: Message too long",
        ),
        (
            {"Message": "{", "MessageStructure": "json"},
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            {"Message": '{"sqs": "x"}', "MessageStructure": "json"},
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            {"Message": '{"default": {"x": 1}}', "MessageStructure": "json"},
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        ({"Message": "x", "MessageStructure": "xml"}, "Invalid parameter: MessageStructure"),
        (
            attribute(DataType="Date", StringValue="x"),
            "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is "
            "Binary, Number, and String.",
        ),
        (attribute(DataType="Number", StringValue="x"), "Could not cast message attribute 'a' value to number."),
        (
            attribute(DataType="String", StringValue=""),
            "The message attribute 'a' must contain non-empty message attribute value for message attribute type "
            "'String'.",
        ),
        (
            attribute(DataType="String.Array", StringValue="x"),
            "Message attribute 'a' of type 'String.Array' is not an array of strings, numbers, booleans or null.",
        ),
    ],
)
async def test_messages_that_are_refused(open_house: OpenHouse, given: dict[str, Any], message: str) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    assert await refusal(house, "Publish", TopicArn=topic, **given) == ("InvalidParameter", message)


@pytest.mark.parametrize("subject", ["x", "x" * 100, "Vögel ✓", "!", "1"])
async def test_subjects_that_are_taken(open_house: OpenHouse, subject: str) -> None:
    house = await open_house(start=False)
    assert await house.call("Publish", TopicArn=await house.topic(), Message="x" * 262_144, Subject=subject)


async def test_a_topic_may_be_given_as_target(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    assert (await house.call("Publish", TargetArn=topic, Message="x"))["MessageId"]
    endpoint = "arn:aws:sns:us-east-1:000000000000:endpoint/APNS/x/y"
    assert await refusal(house, "Publish", TargetArn=endpoint, Message="x") == (
        "InvalidParameter",
        "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
    )
    assert (await refusal(house, "Publish", Message="x"))[0] == "InvalidParameter"
    assert (await refusal(house, "Publish", Message="x", TopicArn=topic, PhoneNumber="+1"))[0] == "InvalidParameter"


async def test_phone_numbers(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    assert await refusal(house, "Publish", PhoneNumber="0151", Message="x") == (
        "InvalidParameter",
        "Invalid parameter: PhoneNumber Reason: 0151 is not valid to publish to",
    )
    assert (await house.call("Publish", PhoneNumber="+4915123456789", Message="x"))["MessageId"]
    assert (await refusal(house, "Publish", PhoneNumber="+4915123456789", Message="x" * 1601))[0] == "InvalidParameter"


async def test_fifo_members_are_refused_by_name(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    code, message = await refusal(house, "Publish", TopicArn=await house.topic(), Message="x", MessageGroupId="g")
    assert (code, "MessageGroupId" in message) == ("NotImplemented", True)
    entries = [{"Id": "a", "Message": "x", "MessageGroupId": "g"}]
    answer = await house.call("PublishBatch", TopicArn=await house.topic(), PublishBatchRequestEntries=entries)
    assert answer["Failed"][0]["Code"] == "NotImplemented"


async def test_a_batch_fails_by_entry(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    entries = [
        {"Id": "good", "Message": "x"},
        {"Id": "bad", "Message": ""},
        {"Id": "json", "Message": json.dumps({"default": "d"}), "MessageStructure": "json"},
    ]
    answer = await house.call("PublishBatch", TopicArn=await house.topic(), PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good", "json"]
    assert answer["Failed"] == [
        {
            "Id": "bad",
            "Code": "InvalidParameter",
            "Message": "Invalid parameter: Empty message",
            "SenderFault": True,
        }
    ]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(number), "Message": "x"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "Message": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "Message": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(number), "Message": "x" * 100_000} for number in range(3)], "BatchRequestTooLong"),
    ],
)
async def test_batches_that_are_refused(open_house: OpenHouse, entries: list[dict[str, Any]], code: str) -> None:
    house = await open_house(start=False)
    given = {"TopicArn": await house.topic(), "PublishBatchRequestEntries": entries}
    assert (await refusal(house, "PublishBatch", **given))[0] == code


async def test_attributes_are_kept_in_the_envelopes_form(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    attributes = {
        "n": {"DataType": "Number.float", "StringValue": "1.50"},
        "b": {"DataType": "Binary", "BinaryValue": b"\xff"},
        "a": {"DataType": "String.Array", "StringValue": '["x", 1, true, null]'},
    }
    topic = await house.topic()
    message_id = (await house.call("Publish", TopicArn=topic, Message="x", MessageAttributes=attributes))["MessageId"]
    message = house.room.store.message(message_id)
    assert message is not None
    assert message.attributes == {
        "n": {"Type": "Number.float", "Value": "1.50"},
        "b": {"Type": "Binary", "Value": "/w=="},
        "a": {"Type": "String.Array", "Value": '["x", 1, true, null]'},
    }
