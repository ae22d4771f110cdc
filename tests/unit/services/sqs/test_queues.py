"""Queues made, found, described, set, emptied, removed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alight.errors import Fault
from tests.unit.services.sqs.conftest import Door

POLICY = '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}}'


async def test_a_queue_is_found_by_name_and_url(door: Door) -> None:
    url = await door.queue()
    assert url == "http://127.0.0.1:4566/000000000000/sightings"
    assert (await door.call("GetQueueUrl", QueueName="sightings"))["QueueUrl"] == url
    assert (await door.call("ListQueues"))["QueueUrls"] == [url]
    # However the client reached us when it learnt the URL.
    await door.send("https://queue.example.org/000000000000/sightings", "hello")
    assert await door.bodies("http://localhost:1/000000000000/sightings/") == ["hello"]


async def test_creating_again_is_the_same_queue_unless_it_differs(door: Door) -> None:
    url = await door.queue(VisibilityTimeout="10")
    assert await door.queue() == await door.queue(VisibilityTimeout="10", DelaySeconds="0") == url
    with pytest.raises(Fault) as caught:
        await door.queue(VisibilityTimeout="11")
    assert caught.value.code == "QueueNameExists"


async def test_attributes(door: Door) -> None:
    url = await door.queue(VisibilityTimeout="10")
    door.clock.advance(5)
    await door.call("SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "3", "Policy": POLICY})
    everything = (await door.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert everything == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "CreatedTimestamp": "1700000000",
        "DelaySeconds": "3",
        "LastModifiedTimestamp": "1700000005",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "Policy": POLICY,
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:sightings",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "10",
    }
    some = await door.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn", "Policy"])
    assert some["Attributes"].keys() == {"QueueArn", "Policy"}
    await door.call("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})
    assert (await door.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["Policy"]))["Attributes"] == {}
    with pytest.raises(Fault) as caught:
        await door.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["Nonsense"])
    assert caught.value.code == "InvalidAttributeName"


async def test_counts(door: Door) -> None:
    url = await door.queue()
    await door.send(url, "a", "b")
    await door.call("SendMessage", QueueUrl=url, MessageBody="c", DelaySeconds=9)
    await door.receive(url)
    found = (await door.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    names = ("", "Delayed", "NotVisible")
    assert [found[f"ApproximateNumberOfMessages{name}"] for name in names] == ["1", "1", "1"]


async def test_purge_and_delete(door: Door) -> None:
    url = await door.queue()
    await door.send(url, "a", "b")
    await door.call("PurgeQueue", QueueUrl=url)
    assert await door.bodies(url) == []
    await door.send(url, "c")
    await door.call("DeleteQueue", QueueUrl=url)
    with pytest.raises(Fault) as caught:
        await door.receive(url)
    assert (caught.value.code, getattr(caught.value, "query_code", "")) == (
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    )
    await door.queue()
    assert await door.bodies(url) == []


async def test_pages_of_queues(door: Door) -> None:
    for number in range(5):
        await door.queue(f"birds-{number}")
    await door.queue("other")
    names: list[str] = []
    token: str | None = None
    while True:
        page = await door.call("ListQueues", QueueNamePrefix="birds-", MaxResults=2, NextToken=token)
        names += [url.rpartition("/")[2] for url in page["QueueUrls"]]
        token = page.get("NextToken")
        if token is None:
            break
    assert names == [f"birds-{number}" for number in range(5)]


async def test_tags(door: Door) -> None:
    url = await door.queue()
    assert await door.call("ListQueueTags", QueueUrl=url) == {}
    await door.call("TagQueue", QueueUrl=url, Tags={"a": "1", "b": "2"})
    await door.call("UntagQueue", QueueUrl=url, TagKeys=["a"])
    assert await door.call("ListQueueTags", QueueUrl=url) == {"Tags": {"b": "2"}}


def redrive(target: str, count: Any) -> str:
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ({"VisibilityTimeout": "-1"}, "InvalidAttributeValue"),
        ({"DelaySeconds": "x"}, "InvalidAttributeValue"),
        ({"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
        ({"ReceiveMessageWaitTimeSeconds": "21"}, "InvalidAttributeValue"),
        ({"Nonsense": "1"}, "InvalidAttributeName"),
        ({"FifoQueue": "true"}, "NotImplemented"),
        ({"Policy": "{"}, "InvalidAttributeValue"),
        ({"RedrivePolicy": "[]"}, "InvalidAttributeValue"),
        ({"RedrivePolicy": "{}"}, "InvalidParameterValue"),
        ({"RedrivePolicy": redrive("arn:aws:sqs:us-east-1:000000000000:nowhere", 3)}, "InvalidParameterValue"),
        ({"RedrivePolicy": redrive("arn:aws:sqs:us-east-1:000000000000:sightings", 0)}, "InvalidParameterValue"),
        ({"RedrivePolicy": redrive("rubbish", 3)}, "InvalidParameterValue"),
    ],
)
async def test_attributes_that_are_refused(door: Door, attributes: dict[str, str], code: str) -> None:
    with pytest.raises(Fault) as caught:
        await door.queue("new", **attributes)
    assert caught.value.code == code
    assert (await door.call("ListQueues"))["QueueUrls"] == []


@pytest.mark.parametrize(("name", "code"), [("a b", "InvalidParameterValue"), ("x" * 81, "InvalidParameterValue"),
                                            ("orders.fifo", "NotImplemented")])  # fmt: skip
async def test_names_that_are_refused(door: Door, name: str, code: str) -> None:
    with pytest.raises(Fault) as caught:
        await door.queue(name)
    assert caught.value.code == code


async def test_unknown_members_are_refused_by_name(door: Door) -> None:
    url = await door.queue()
    with pytest.raises(Fault, match="ReceiveRequestAttemptId"):
        await door.receive(url, ReceiveRequestAttemptId="x")


async def test_a_changed_queue_is_another_for_who_sends_and_who_receives(door: Door) -> None:
    url = await door.queue(VisibilityTimeout="0")
    await door.send(url, "x" * 2_000)
    assert len(await door.bodies(url)) == len(await door.bodies(url)) == 1
    await door.call("SetQueueAttributes", QueueUrl=url, Attributes={"MaximumMessageSize": "1024"})
    with pytest.raises(Fault, match="shorter than 1024 bytes"):
        await door.send(url, "x" * 2_000)
    await door.call("SetQueueAttributes", QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
    assert (len(await door.bodies(url)), await door.bodies(url)) == (1, [])
    await door.call("DeleteQueue", QueueUrl=url)
    with pytest.raises(Fault):
        await door.send(url, "hello")


async def test_queues_that_do_not_exist(door: Door) -> None:
    for operation, given in (
        ("GetQueueUrl", {"QueueName": "x"}),
        ("PurgeQueue", {"QueueUrl": "http://h/000000000000/x"}),
    ):
        with pytest.raises(Fault) as caught:
            await door.call(operation, **given)
        assert caught.value.code == "QueueDoesNotExist"
