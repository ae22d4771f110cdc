"""Subscriptions asked for, confirmed, described, set, ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alight.clock import ManualClock
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.services.sns.test_topics import QUEUE, refusal

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:teller"


async def token_of(house: House) -> str:
    """The token of the last confirmation that was sent."""
    row = house.room.store.deliveries()[0]
    message = house.room.store.message(row["message_id"])
    assert message is not None
    return message.token


@pytest.mark.parametrize(("protocol", "endpoint"), [("sqs", QUEUE), ("lambda", FUNCTION), ("sms", "+4915123456789")])
async def test_who_lives_here_is_confirmed_at_once(open_house: OpenHouse, protocol: str, endpoint: str) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    arn = (await house.call("Subscribe", TopicArn=topic, Protocol=protocol, Endpoint=endpoint))["SubscriptionArn"]
    assert arn.startswith(f"{topic}:")
    assert (await house.call("ListSubscriptionsByTopic", TopicArn=topic))["Subscriptions"] == [
        {
            "SubscriptionArn": arn,
            "Owner": "000000000000",
            "Protocol": protocol,
            "Endpoint": endpoint,
            "TopicArn": topic,
        }
    ]
    assert house.deliveries() == []


async def test_a_mailbox_is_asked_first(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    given: dict[str, Any] = {"TopicArn": topic, "Protocol": "email", "Endpoint": "ada@example.org"}
    assert await house.call("Subscribe", **given) == {"SubscriptionArn": "pending confirmation"}
    (listed,) = (await house.call("ListSubscriptions"))["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    await house.call("Publish", TopicArn=topic, Message="too early")
    assert len(house.deliveries()) == 1

    confirmed = await house.call("ConfirmSubscription", TopicArn=topic, Token=await token_of(house))
    (listed,) = (await house.call("ListSubscriptions"))["Subscriptions"]
    assert listed["SubscriptionArn"] == confirmed["SubscriptionArn"]


async def test_a_token_is_used_once_lives_two_days_and_cannot_be_guessed(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock, start=False)
    topic, other = await house.topic("birds"), await house.topic("other")
    given: dict[str, Any] = {"TopicArn": topic, "Protocol": "email", "Endpoint": "ada@example.org"}
    await house.call("Subscribe", **given)
    old = await token_of(house)
    # Asked again, the first token is void.
    await house.call("Subscribe", **given)
    token = await token_of(house)
    assert (len(token), old != token) == (128, True)
    assert await refusal(house, "ConfirmSubscription", TopicArn=topic, Token=old) == (
        "InvalidParameter",
        "Invalid token",
    )
    assert await refusal(house, "ConfirmSubscription", TopicArn=topic, Token="x") == (
        "InvalidParameter",
        "Invalid parameter: Token",
    )
    assert (await refusal(house, "ConfirmSubscription", TopicArn=other, Token=token))[1] == "Invalid token"
    record = house.records.list("sns:subscription")[0]
    assert token not in json.dumps(record.body)

    clock.advance(2 * 24 * 3600)
    assert (await refusal(house, "ConfirmSubscription", TopicArn=topic, Token=token))[1] == "Invalid token"
    await house.call("Subscribe", **given)
    token = await token_of(house)
    clock.advance(2 * 24 * 3600 - 1)
    await house.call("ConfirmSubscription", TopicArn=topic, Token=token)
    assert (await refusal(house, "ConfirmSubscription", TopicArn=topic, Token=token))[1] == "Invalid token"


async def test_subscribing_again_is_the_same_subscription_unless_it_differs(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    arn = await house.subscribe(topic, "sqs", QUEUE, RawMessageDelivery="true")
    assert await house.subscribe(topic, "sqs", QUEUE) == arn
    assert await house.subscribe(topic, "sqs", QUEUE, RawMessageDelivery="true") == arn
    given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": {"RawMessageDelivery": "false"}}
    assert await refusal(house, "Subscribe", **given) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
    )


async def test_subscriptions_that_nobody_confirms_are_forgotten(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock, start=False)
    topic = await house.topic()
    await house.subscribe(topic, "email", "ada@example.org")
    clock.advance(3 * 24 * 3600)
    await house.subscribe(topic, "email", "eve@example.org")
    listed = (await house.call("ListSubscriptions"))["Subscriptions"]
    assert [one["Endpoint"] for one in listed] == ["eve@example.org"]


async def test_attributes_can_be_set_and_unset(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    arn = await house.subscribe(await house.topic(), "sqs", QUEUE)

    async def put(name: str, value: str) -> dict[str, str]:
        await house.call("SetSubscriptionAttributes", SubscriptionArn=arn, AttributeName=name, AttributeValue=value)
        found: dict[str, str] = (await house.call("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
        return found

    found = await put("FilterPolicyScope", "MessageBody")
    assert "FilterPolicyScope" not in found
    found = await put("FilterPolicy", '{"object": {"key": [{"prefix": "auto-"}]}}')
    assert (found["FilterPolicyScope"], json.loads(found["FilterPolicy"])) == (
        "MessageBody",
        {"object": {"key": [{"prefix": "auto-"}]}},
    )
    assert "FilterPolicy" not in await put("FilterPolicy", "")
    assert (await put("RawMessageDelivery", "true"))["RawMessageDelivery"] == "true"
    policy = json.dumps({"deadLetterTargetArn": QUEUE})
    assert (await put("RedrivePolicy", policy))["RedrivePolicy"] == policy


RAW = "RawMessageDelivery: Invalid value [x]. Must be true or false."
SCOPE = "FilterPolicyScope: Invalid value [x]. Please use either MessageBody or MessageAttributes"
NESTED = "Filter policy scope MessageAttributes does not support nested filter policy"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("RawMessageDelivery", "x", RAW),
        ("FilterPolicyScope", "x", SCOPE),
        ("FilterPolicy", "{", "FilterPolicy: failed to parse JSON."),
        ("FilterPolicy", '{"k": "v"}', 'FilterPolicy: "k" must be an object or an array'),
        ("FilterPolicy", '{"k": [{"x": 1}]}', "FilterPolicy: Unrecognized match type x"),
        ("RedrivePolicy", '{"deadLetterTargetArn": "x"}', "RedrivePolicy: deadLetterTargetArn is an invalid arn"),
        ("RedrivePolicy", "{", "RedrivePolicy: failed to parse JSON."),
    ],
)
async def test_attributes_that_are_refused(open_house: OpenHouse, name: str, value: str, problem: str) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    arn = await house.subscribe(topic, "sqs", QUEUE)
    given: dict[str, Any] = {"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value}
    assert await refusal(house, "SetSubscriptionAttributes", **given) == (
        "InvalidParameter",
        f"Invalid parameter: {problem}",
    )
    given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": f"{QUEUE}-2", "Attributes": {name: value}}
    assert await refusal(house, "Subscribe", **given) == (
        "InvalidParameter",
        f"Invalid parameter: Attributes Reason: {problem}",
    )


async def test_nested_policies_need_the_body_scope(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    arn = await house.subscribe(await house.topic(), "sqs", QUEUE)
    given = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": '{"a": {"b": ["c"]}}'}
    assert await refusal(house, "SetSubscriptionAttributes", **given) == (
        "InvalidParameter",
        f"Invalid parameter: {NESTED}",
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("Nonsense", "InvalidParameter"), ("ReplayPolicy", "NotImplemented"), ("SubscriptionRoleArn", "NotImplemented")],
)
async def test_attributes_that_are_not_offered(open_house: OpenHouse, name: str, code: str) -> None:
    house = await open_house(start=False)
    arn = await house.subscribe(await house.topic(), "sqs", QUEUE)
    given = {"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": "{}"}
    assert (await refusal(house, "SetSubscriptionAttributes", **given))[0] == code


@pytest.mark.parametrize(
    ("protocol", "endpoint", "code", "message"),
    [
        ("test", "x", "InvalidParameter", "Invalid parameter: Amazon SNS does not support this protocol string: test"),
        ("application", "x", "NotImplemented", "Alight does not offer the protocol application."),
        ("firehose", "x", "NotImplemented", "Alight does not offer the protocol firehose."),
        ("http", "https://x/", "InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol"),
        ("email", "nobody", "InvalidParameter", "Invalid parameter: Email address"),
        ("email", "a@b.c\r\nBcc: d@e.f", "InvalidParameter", "Invalid parameter: Email address"),
        ("sms", "0151", "InvalidParameter", "Invalid parameter: Invalid SMS endpoint: 0151"),
        ("sqs", "x", "InvalidParameter", "Invalid parameter: SQS endpoint ARN"),
        ("sqs", FUNCTION, "InvalidParameter", "Invalid parameter: SQS endpoint ARN"),
        ("lambda", QUEUE, "InvalidParameter", "Invalid parameter: Lambda endpoint ARN"),
        ("sqs", "", "InvalidParameter", "Invalid parameter: Endpoint"),
    ],
)
async def test_endpoints_that_are_refused(
    open_house: OpenHouse, protocol: str, endpoint: str, code: str, message: str
) -> None:
    house = await open_house(start=False)
    given = {"TopicArn": await house.topic(), "Protocol": protocol, "Endpoint": endpoint}
    assert await refusal(house, "Subscribe", **given) == (code, message)


async def test_unsubscribing(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    arn = await house.subscribe(topic, "sqs", QUEUE)
    for _ in range(2):
        assert await house.call("Unsubscribe", SubscriptionArn=arn) == {}
    assert await refusal(house, "GetSubscriptionAttributes", SubscriptionArn=arn) == (
        "NotFound",
        "Subscription does not exist",
    )
    assert (await refusal(house, "Unsubscribe", SubscriptionArn="x"))[0] == "InvalidParameter"


async def test_pages_of_subscriptions(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    made = sorted([await house.subscribe(topic, "sqs", f"{QUEUE}-{number}") for number in range(110)])
    first = await house.call("ListSubscriptionsByTopic", TopicArn=topic)
    second = await house.call("ListSubscriptionsByTopic", TopicArn=topic, NextToken=first["NextToken"])
    assert [one["SubscriptionArn"] for one in first["Subscriptions"] + second["Subscriptions"]] == made
