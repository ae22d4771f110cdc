"""Sent, received, hidden, deleted, given up: SQS's semantics on a clock that the test moves."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from alight.errors import Fault
from alight.services.sqs.digests import md5_of_attributes
from tests.unit.services.sqs.conftest import Door

GOLDEN = Path(__file__).parents[5] / "shared" / "golden" / "sqs_event_record.json"


async def test_a_message_is_sent_received_and_deleted(door: Door) -> None:
    url = await door.queue()
    sent = await door.call("SendMessage", QueueUrl=url, MessageBody="hello ✓")
    assert sent["MD5OfMessageBody"] == hashlib.md5("hello ✓".encode()).hexdigest()
    (message,) = await door.receive(url)
    assert (message["Body"], message["MessageId"]) == ("hello ✓", sent["MessageId"])
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert "Attributes" not in message
    await door.call("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    door.clock.advance(100)
    assert await door.receive(url) == []


async def test_a_received_message_is_hidden_until_its_timeout(door: Door) -> None:
    url = await door.queue()
    await door.send(url, "hello")
    (first,) = await door.receive(url)
    assert await door.receive(url) == []
    door.clock.advance(29)
    assert await door.receive(url) == []
    door.clock.advance(1)
    (second,) = await door.receive(url)
    assert first["ReceiptHandle"] != second["ReceiptHandle"]

    # The first receiver's handle is too old: it deletes nothing, and says nothing.
    await door.call("DeleteMessage", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    door.clock.advance(30)
    assert await door.bodies(url) == ["hello"]


async def test_a_receive_may_ask_for_its_own_timeout(door: Door) -> None:
    url = await door.queue(VisibilityTimeout="100")
    await door.send(url, "hello")
    await door.receive(url, VisibilityTimeout=5)
    door.clock.advance(5)
    assert await door.bodies(url) == ["hello"]
    door.clock.advance(99)
    assert await door.bodies(url) == []


async def test_without_hiding_a_receive_takes_nothing_twice(door: Door) -> None:
    url = await door.queue()
    await door.send(url, "one", "two")
    assert sorted(await door.bodies(url, VisibilityTimeout=0, MaxNumberOfMessages=10)) == ["one", "two"]
    assert sorted(await door.bodies(url, VisibilityTimeout=0, MaxNumberOfMessages=10)) == ["one", "two"]


async def test_up_to_ten_at_a_time_in_order(door: Door) -> None:
    url = await door.queue()
    await door.send(url, *(str(number) for number in range(12)))
    assert await door.bodies(url, MaxNumberOfMessages=10) == [str(number) for number in range(10)]
    assert await door.bodies(url, MaxNumberOfMessages=10) == ["10", "11"]


async def test_visibility_can_be_changed(door: Door) -> None:
    url = await door.queue()
    await door.send(url, "hello")
    (message,) = await door.receive(url)
    handle = message["ReceiptHandle"]
    await door.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=100)
    door.clock.advance(99)
    assert await door.bodies(url) == []
    await door.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    assert await door.bodies(url) == ["hello"]
    with pytest.raises(Fault) as caught:
        await door.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    assert caught.value.code == "MessageNotInflight"


async def test_delays_of_the_queue_and_of_the_message(door: Door) -> None:
    url = await door.queue(DelaySeconds="10")
    await door.send(url, "queue's delay")
    await door.call("SendMessage", QueueUrl=url, MessageBody="own delay", DelaySeconds=0)
    assert await door.bodies(url, MaxNumberOfMessages=10) == ["own delay"]
    door.clock.advance(10)
    assert await door.bodies(url, MaxNumberOfMessages=10) == ["queue's delay"]


async def test_a_message_that_is_received_too_often_goes_to_the_dead_letter_queue(door: Door) -> None:
    letters = await door.queue("letters")
    policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:letters", "maxReceiveCount": 2})
    url = await door.queue(RedrivePolicy=policy, VisibilityTimeout="1")
    sent = await door.call("SendMessage", QueueUrl=url, MessageBody="poison")
    for expected in (1, 2):
        (message,) = await door.receive(url, AttributeNames=["All"])
        assert message["Attributes"]["ApproximateReceiveCount"] == str(expected)
        door.clock.advance(1)
    assert await door.receive(url) == []
    (dead,) = await door.receive(letters, AttributeNames=["All"])
    assert (dead["MessageId"], dead["Body"]) == (sent["MessageId"], "poison")
    assert dead["Attributes"]["DeadLetterQueueSourceArn"] == "arn:aws:sqs:us-east-1:000000000000:sightings"
    sources = await door.call("ListDeadLetterSourceQueues", QueueUrl=letters)
    assert sources["queueUrls"] == [url]


async def test_a_missing_dead_letter_queue_loses_nothing(door: Door) -> None:
    letters = await door.queue("letters")
    policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:letters", "maxReceiveCount": 1})
    url = await door.queue(RedrivePolicy=policy, VisibilityTimeout="1")
    await door.call("DeleteQueue", QueueUrl=letters)
    await door.send(url, "poison")
    for _ in range(3):
        assert await door.bodies(url) == ["poison"]
        door.clock.advance(1)


async def test_old_messages_are_gone(door: Door) -> None:
    url = await door.queue(MessageRetentionPeriod="60")
    await door.send(url, "old")
    door.clock.advance(30)
    await door.send(url, "new")
    door.clock.advance(31)
    assert await door.bodies(url, MaxNumberOfMessages=10) == ["new"]
    counts = await door.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    assert counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1"


async def test_a_long_poll_is_woken_by_a_send(door: Door) -> None:
    url = await door.queue()
    waiting = asyncio.create_task(door.receive(url, WaitTimeSeconds=20))
    await until_listening(door)
    assert not waiting.done()
    await door.send(url, "hello")
    async with asyncio.timeout(10):
        (message,) = await waiting
    assert message["Body"] == "hello"


async def test_a_long_poll_ends_empty_at_its_time(door: Door) -> None:
    url = await door.queue(ReceiveMessageWaitTimeSeconds="5")
    waiting = asyncio.create_task(door.receive(url))
    await until_listening(door)
    door.clock.advance(5)
    async with asyncio.timeout(10):
        assert await waiting == []


async def test_a_long_poll_gets_what_shows_up_meanwhile(door: Door) -> None:
    url = await door.queue()
    await door.call("SendMessage", QueueUrl=url, MessageBody="later", DelaySeconds=3)
    waiting = asyncio.create_task(door.receive(url, WaitTimeSeconds=20))
    await until_listening(door)
    door.clock.advance(3)
    async with asyncio.timeout(10):
        (message,) = await waiting
    assert message["Body"] == "later"


async def test_two_pollers_do_not_get_the_same_message(door: Door) -> None:
    url = await door.queue()
    polls = [asyncio.create_task(door.receive(url, WaitTimeSeconds=20)) for _ in range(2)]
    await until_listening(door)
    await door.send(url, "one")
    async with asyncio.timeout(10):
        done, pending = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(pending)) == (1, 1)
    await door.send(url, "two")
    async with asyncio.timeout(10):
        bodies = {(await poll)[0]["Body"] for poll in polls}
    assert bodies == {"one", "two"}


async def until_listening(door: Door) -> None:
    """Until a poll sleeps on the clock."""
    async with asyncio.timeout(10):
        while not door.clock._sleepers:
            await asyncio.sleep(0.001)


ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Title": {"DataType": "String", "StringValue": "The Whistler"},
    "Author": {"DataType": "String", "StringValue": "John Grisham"},
    "WeeksOn": {"DataType": "Number", "StringValue": "6"},
}


async def test_message_attributes_come_back_as_asked_for(door: Door) -> None:
    url = await door.queue()
    given = {**ATTRIBUTES, "raw": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"}}
    sent = await door.call("SendMessage", QueueUrl=url, MessageBody="hello", MessageAttributes=given)
    (message,) = await door.receive(url, MessageAttributeNames=["All"], VisibilityTimeout=0)
    assert message["MessageAttributes"] == given
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    (message,) = await door.receive(url, MessageAttributeNames=["Ti.*", "WeeksOn"], VisibilityTimeout=0)
    assert message["MessageAttributes"].keys() == {"Title", "WeeksOn"}
    (message,) = await door.receive(url, VisibilityTimeout=0)
    assert "MessageAttributes" not in message


@pytest.mark.skipif(not GOLDEN.exists(), reason="no golden records beside the repository")
def test_the_md5_of_attributes_is_the_one_of_sqs() -> None:
    record = next(
        record["payload"]
        for record in json.loads(GOLDEN.read_text())
        if record["payload"].get("md5OfMessageAttributes")
    )
    stored = {
        name: {"DataType": value["dataType"], "StringValue": value["stringValue"]}
        for name, value in record["messageAttributes"].items()
    }
    assert md5_of_attributes(stored) == record["md5OfMessageAttributes"]


async def test_system_attributes_by_either_member(door: Door) -> None:
    url = await door.queue()
    await door.send(url, "hello")
    (message,) = await door.receive(url, MessageSystemAttributeNames=["SentTimestamp", "SenderId"], VisibilityTimeout=0)
    assert message["Attributes"] == {"SentTimestamp": "1700000000000", "SenderId": "AIDAROOT"}
    door.clock.advance(2)
    (message,) = await door.receive(url, AttributeNames=["All"])
    assert message["Attributes"]["ApproximateFirstReceiveTimestamp"] == "1700000000000"
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"


async def test_batches_succeed_and_fail_by_entry(door: Door) -> None:
    url = await door.queue()
    entries = [
        {"Id": "a", "MessageBody": "one"},
        {"Id": "b", "MessageBody": "\x00"},
        {"Id": "c", "MessageBody": "three", "MessageAttributes": ATTRIBUTES},
    ]
    sent = await door.call("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in sent["Successful"]] == ["a", "c"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in sent["Failed"]] == [
        ("b", "InvalidMessageContents", True)
    ]
    messages = await door.receive(url, MaxNumberOfMessages=10)
    handles = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
    hidden = [entry | {"VisibilityTimeout": 0} for entry in handles]
    assert len((await door.call("ChangeMessageVisibilityBatch", QueueUrl=url, Entries=hidden))["Successful"]) == 2
    again = [{"Id": "x", "ReceiptHandle": "rubbish"}, *handles]
    answer = await door.call("DeleteMessageBatch", QueueUrl=url, Entries=again)
    assert ([e["Id"] for e in answer["Successful"]], answer["Failed"][0]["Code"]) == (
        ["0", "1"],
        "ReceiptHandleIsInvalid",
    )
    assert await door.receive(url) == []


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(n), "MessageBody": "x"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(n), "MessageBody": "x" * 200_000} for n in range(6)], "BatchRequestTooLong"),
    ],
)
async def test_batches_that_are_refused(door: Door, entries: list[dict[str, Any]], code: str) -> None:
    url = await door.queue()
    with pytest.raises(Fault) as caught:
        await door.call("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert caught.value.code == code


def attribute(name: str, kind: str, text: str) -> dict[str, Any]:
    return {"MessageBody": "x", "MessageAttributes": {name: {"DataType": kind, "StringValue": text}}}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"MessageBody": ""}, "InvalidParameterValue"),
        ({"MessageBody": "x" * 2048}, "InvalidParameterValue"),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageBody": "x\x0b"}, "InvalidMessageContents"),
        ({"MessageBody": "x", "MessageGroupId": "g"}, "NotImplemented"),
        ({"MessageBody": "x", "MessageSystemAttributes": {"AWSTraceHeader": {}}}, "NotImplemented"),
        (attribute("a", "Date", "x"), "InvalidParameterValue"),
        (attribute("aws.a", "String", "x"), "InvalidParameterValue"),
        (attribute("a", "Number", "x"), "InvalidParameterValue"),
        (attribute("a", "String", ""), "InvalidParameterValue"),
    ],
)
async def test_messages_that_are_refused(door: Door, given: dict[str, Any], code: str) -> None:
    url = await door.queue(MaximumMessageSize="1024")
    with pytest.raises(Fault) as caught:
        await door.call("SendMessage", QueueUrl=url, **given)
    assert caught.value.code == code


@pytest.mark.parametrize("handle", ["", "x", "1-2", "zz-" + "0" * 32, "1-" + "g" * 32])
async def test_receipt_handles_that_are_none(door: Door, handle: str) -> None:
    url = await door.queue()
    with pytest.raises(Fault) as caught:
        await door.call("DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
    assert caught.value.code == "ReceiptHandleIsInvalid"


async def test_messages_survive_and_wait_over_a_restart_of_the_door(door: Door) -> None:
    url = await door.queue()
    await door.send(url, "hello")
    attributes = await door.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert attributes == {"Attributes": {"ApproximateNumberOfMessages": "1"}}


async def test_the_house_itself_sends_in_its_own_transaction(door: Door) -> None:
    url = await door.queue()
    arn = "arn:aws:sqs:us-east-1:000000000000:sightings"
    await door.database.write(lambda tx: door.sqs.send(tx, arn, "from a topic", ATTRIBUTES))
    (message,) = await door.receive(url, MessageAttributeNames=["All"])
    assert (message["Body"], message["MessageAttributes"]) == ("from a topic", ATTRIBUTES)
    with pytest.raises(Fault) as caught:
        await door.database.write(lambda tx: door.sqs.send(tx, arn + "-gone", "x", {}))
    assert caught.value.code == "QueueDoesNotExist"
