"""The same fields as AWS's own records, where those are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import receiver

GOLDEN = Path(__file__).parents[4] / "shared" / "golden"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:sightings"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:teller"

pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason="no golden records beside the repository")


def golden(name: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text())
    return records


def payload(test: str, path: str) -> dict[str, Any]:
    for record in golden("sns_message"):
        if record["test"].endswith(test) and path in record["path"]:
            found: dict[str, Any] = record["payload"]
            return found
    raise LookupError(test)


async def queued(house: House, **given: Any) -> dict[str, Any]:
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    await house.call("Publish", TopicArn=topic, **given)
    await house.until(lambda: house.queued)
    document: dict[str, Any] = json.loads(house.queued[0][1])
    return document


async def test_a_message_in_a_queue(open_house: OpenHouse) -> None:
    ours = await queued(await open_house(), Message="hello")
    theirs = payload("test_publish_message_by_target_arn", "topic-arn")
    assert (ours.keys(), ours["SignatureVersion"]) == (theirs.keys(), theirs["SignatureVersion"])


async def test_a_message_with_subject(open_house: OpenHouse) -> None:
    ours = await queued(await open_house(), Message="hello", Subject="Amazon S3 Notification")
    assert ours.keys() == payload("test_object_created_put", "messages[0]").keys()


async def test_a_message_with_attributes(open_house: OpenHouse) -> None:
    attributes = {"attr1": {"DataType": "Number", "StringValue": "1"}}
    ours = await queued(await open_house(), Message="hello", MessageAttributes=attributes)
    theirs = payload("test_redrive_policy_lambda_subscription", "Body")
    assert ours.keys() == theirs.keys()
    assert ours["MessageAttributes"] == theirs["MessageAttributes"]


async def test_the_event_of_a_function(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "lambda", FUNCTION)
    await house.call("Publish", TopicArn=topic, Message="hello", Subject="[Subject] Test subject")
    await house.until(lambda: house.invoked)
    (record,) = json.loads(house.invoked[0][1])["Records"]
    theirs = payload("test_python_lambda_subscribe_sns_topic", "notification")
    assert record["Sns"].keys() == theirs.keys()
    nested = payload("test_sns_topic_as_lambda_dead_letter_queue", "messages/Messages[0]/Body")
    assert record.keys() == nested["Message"]["Records"][0].keys()


async def test_confirmations(open_house: OpenHouse) -> None:
    house = await open_house()
    async with receiver() as got:
        topic = await house.topic()
        arn = await house.subscribe(topic, "http", got.url)
        await house.until(lambda: got.requests)
        asked = json.loads(got.requests[0].body)
        theirs = payload("test_subscribe_external_http_endpoint[True]", "/subscription-confirmation")
        assert asked.keys() == theirs.keys()
        assert asked["Message"] == theirs["Message"].replace(theirs["TopicArn"], topic)

        await house.call("ConfirmSubscription", TopicArn=topic, Token=asked["Token"])
        await house.call("Unsubscribe", SubscriptionArn=arn)
        await house.until(lambda: len(got.requests) == 2)
        ended = json.loads(got.requests[1].body)
        theirs = payload("test_subscribe_external_http_endpoint[True]", "/unsubscribe-request")
        assert ended.keys() == theirs.keys()
        assert ended["Message"].splitlines()[1] == theirs["Message"].splitlines()[1]


async def test_the_attributes_of_a_subscription(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    (theirs,) = [record["payload"] for record in golden("sns_subscription_attributes")][:1]
    arn = await house.subscribe(topic, "sqs", QUEUE, FilterPolicy=json.dumps(theirs["FilterPolicy"]))
    ours = (await house.call("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
    assert ours.keys() == theirs.keys()
    masked = {"Endpoint", "FilterPolicy", "Owner", "SubscriptionArn", "SubscriptionPrincipal", "TopicArn"}
    assert {name: ours[name] for name in ours.keys() - masked} == {
        name: theirs[name] for name in theirs.keys() - masked
    }
