"""Topics made, described, set, tagged, listed, removed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alight.errors import Fault
from tests.unit.notifications.conftest import House, OpenHouse

QUEUE = "arn:aws:sqs:us-east-1:000000000000:sightings"
SHORT = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not "


async def refusal(house: House, operation: str, **given: Any) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        await house.call(operation, **given)
    return caught.value.code, caught.value.message


async def test_creating_again_is_the_same_topic_unless_it_differs(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    arn = await house.topic("birds", DisplayName="birds")
    assert arn == "arn:aws:sns:us-east-1:000000000000:birds"
    assert await house.topic("birds") == await house.topic("birds", DisplayName="birds") == arn
    code, message = await refusal(house, "CreateTopic", Name="birds", Attributes={"DisplayName": "other"})
    assert (code, message) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
    )
    code, message = await refusal(house, "CreateTopic", Name="birds", Tags=[{"Key": "a", "Value": "b"}])
    assert message == "Invalid parameter: Tags Reason: Topic already exists with different tags"


async def test_attributes(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    arn = await house.topic()
    await house.subscribe(arn, "sqs", QUEUE)
    await house.subscribe(arn, "email", "ada@example.org")
    await house.call("SetTopicAttributes", TopicArn=arn, AttributeName="DisplayName", AttributeValue="birds")
    found = (await house.call("GetTopicAttributes", TopicArn=arn))["Attributes"]
    policy = json.loads(found.pop("Policy"))
    effective = json.loads(found.pop("EffectiveDeliveryPolicy"))
    assert found == {
        "TopicArn": arn,
        "Owner": "000000000000",
        "DisplayName": "birds",
        "SubscriptionsConfirmed": "1",
        "SubscriptionsPending": "1",
        "SubscriptionsDeleted": "0",
    }
    assert policy["Statement"][0]["Resource"] == arn
    assert effective == {
        "http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 20,
                "maxDelayTarget": 20,
                "numRetries": 3,
                "numMaxDelayRetries": 0,
                "numNoDelayRetries": 0,
                "numMinDelayRetries": 0,
                "backoffFunction": "linear",
            },
            "disableSubscriptionOverrides": False,
            "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
        }
    }


async def test_a_delivery_policy_shows_in_the_effective_one(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    retry = {"minDelayTarget": 1, "maxDelayTarget": 5, "numRetries": 7}
    arn = await house.topic("t", DeliveryPolicy=json.dumps({"http": {"defaultHealthyRetryPolicy": retry}}))
    found = (await house.call("GetTopicAttributes", TopicArn=arn))["Attributes"]
    effective = json.loads(found["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]
    assert (effective["numRetries"], effective["backoffFunction"]) == (7, "linear")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Nonsense", "x", "InvalidParameter"),
        ("SignatureVersion", "3", "InvalidParameter"),
        ("DisplayName", "x" * 101, "InvalidParameter"),
        ("DisplayName", "a\nb", "InvalidParameter"),
        ("DeliveryPolicy", "{", "InvalidParameter"),
        ("DeliveryPolicy", '{"https": {}}', "InvalidParameter"),
        ("DeliveryPolicy", '{"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}}}', "InvalidParameter"),
        ("Policy", "{", "InvalidParameter"),
        ("ContentBasedDeduplication", "true", "NotImplemented"),
        ("ArchivePolicy", "{}", "NotImplemented"),
        ("HTTPSuccessFeedbackRoleArn", "arn", "NotImplemented"),
    ],
)
async def test_attributes_that_are_refused(open_house: OpenHouse, name: str, value: str, code: str) -> None:
    house = await open_house(start=False)
    arn = await house.topic()
    given = {"TopicArn": arn, "AttributeName": name, "AttributeValue": value}
    assert (await refusal(house, "SetTopicAttributes", **given))[0] == code
    assert (await refusal(house, "CreateTopic", Name="other", Attributes={name: value}))[0] == code


async def test_fifo_topics_are_refused_by_name(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    for given in ({"Name": "orders.fifo"}, {"Name": "orders", "Attributes": {"FifoTopic": "true"}}):
        code, message = await refusal(house, "CreateTopic", **given)
        assert (code, "FIFO" in message) == ("NotImplemented", True)
    assert await refusal(house, "CreateTopic", Name="a b") == ("InvalidParameter", "Invalid parameter: Topic Name")


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("birds", ("InvalidParameter", f"{SHORT}1")),
        ("", ("InvalidParameter", f"{SHORT}1")),
        ("arn:aws", ("InvalidParameter", f"{SHORT}2")),
        ("arn:aws:sns:us-east-1:000000000000:none", ("NotFound", "Topic does not exist")),
        ("arn:aws:sns:us-east-1:000000000000:birds:sub", ("InvalidParameter", "Invalid parameter: TopicArn")),
        ("arn:aws:sqs:us-east-1:000000000000:birds", ("InvalidParameter", "Invalid parameter: TopicArn")),
    ],
)
async def test_topics_that_are_none(open_house: OpenHouse, arn: str, expected: tuple[str, str]) -> None:
    house = await open_house(start=False)
    await house.topic()
    assert await refusal(house, "GetTopicAttributes", TopicArn=arn) == expected
    assert await refusal(house, "Publish", TopicArn=arn, Message="x") == expected


async def test_deleting_takes_the_subscriptions_and_is_no_fault_twice(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    arn, other = await house.topic("birds"), await house.topic("birds-of-paradise")
    await house.subscribe(arn, "sqs", QUEUE)
    kept = await house.subscribe(other, "sqs", QUEUE)
    for _ in range(2):
        assert await house.call("DeleteTopic", TopicArn=arn) == {}
    assert [one["SubscriptionArn"] for one in (await house.call("ListSubscriptions"))["Subscriptions"]] == [kept]
    assert (await house.call("ListTopics"))["Topics"] == [{"TopicArn": other}]


async def test_pages_of_topics(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    made = sorted([await house.topic(f"topic-{number:03}") for number in range(120)])
    first = await house.call("ListTopics")
    second = await house.call("ListTopics", NextToken=first["NextToken"])
    assert [topic["TopicArn"] for topic in first["Topics"] + second["Topics"]] == made
    assert (len(first["Topics"]), "NextToken" in second) == (100, False)
    assert (await refusal(house, "ListTopics", NextToken="ä"))[0] == "InvalidParameter"


async def test_tags(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    arn = await house.topic()
    tags = [{"Key": "k1", "Value": "v1"}, {"Key": "k2", "Value": "v2"}]
    await house.call("TagResource", ResourceArn=arn, Tags=tags)
    await house.call("TagResource", ResourceArn=arn, Tags=[{"Key": "k2", "Value": "v2b"}])
    await house.call("UntagResource", ResourceArn=arn, TagKeys=["k1"])
    assert (await house.call("ListTagsForResource", ResourceArn=arn))["Tags"] == [{"Key": "k2", "Value": "v2b"}]
    assert await refusal(house, "TagResource", ResourceArn=arn, Tags=tags + tags) == (
        "InvalidParameter",
        "Invalid parameter: Duplicated keys are not allowed.",
    )
    assert (await refusal(house, "ListTagsForResource", ResourceArn=arn + "x"))[0] == "ResourceNotFound"


async def test_sms_attributes(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    await house.call("SetSMSAttributes", attributes={"DefaultSMSType": "Transactional"})
    assert await house.call("GetSMSAttributes") == {"attributes": {"DefaultSMSType": "Transactional"}}
    assert await house.call("GetSMSAttributes", attributes=["DefaultSenderID"]) == {"attributes": {}}
    assert (await refusal(house, "SetSMSAttributes", attributes={"MonthlySpendLimit": "1"}))[0] == "NotImplemented"
    for wrong in ({"Nonsense": "1"}, {"DefaultSMSType": "Loud"}, {"DefaultSenderID": "12345"}):
        assert (await refusal(house, "SetSMSAttributes", attributes=wrong))[0] == "InvalidParameter"
    await house.call("SetSMSAttributes", attributes={"DefaultSenderID": "Birds1"})


async def test_nobody_is_opted_out_of_texts(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    assert await house.call("CheckIfPhoneNumberIsOptedOut", phoneNumber="+12065550100") == {"isOptedOut": False}
    assert await house.call("ListPhoneNumbersOptedOut") == {"phoneNumbers": []}
    assert await house.call("OptInPhoneNumber", phoneNumber="+12065550100") == {}
    assert (await refusal(house, "CheckIfPhoneNumberIsOptedOut", phoneNumber="555"))[0] == "InvalidParameter"
