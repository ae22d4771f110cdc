"""Topics and queues let in whom their policies name: real clients, a real instance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from alight.cli.instance import open_door
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import open_queue, policy_for

QUEUE = "arn:aws:sqs:us-east-1:000000000000:closed"
BUCKET = "arn:aws:s3:::told"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("policies") / "data")
    yield started
    sweep(started.process)


def set_policy(sqs: Any, url: str, policy: str) -> None:
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def bodies(sqs: Any, url: str) -> list[Any]:
    page = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in page]


def test_a_bucket_tells_only_what_lets_it_in(instance: Instance) -> None:
    s3, sns, sqs = (instance.client(service) for service in ("s3", "sns", "sqs"))
    s3.create_bucket(Bucket="told")
    queue = sqs.create_queue(QueueName="closed")["QueueUrl"]
    topic = sns.create_topic(Name="closed")["TopicArn"]
    rules = {
        "QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}],
        "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}],
    }

    def configure() -> None:
        s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration=rules)

    with pytest.raises(ClientError) as refused:
        configure()
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (
        "InvalidArgument",
        "Unable to validate the following destination configurations",
    )
    said = {error["ArgumentName1"]: error["ArgumentValue1"], error["ArgumentName2"]: error["ArgumentValue2"]}
    words = "Permissions on the destination {} do not allow S3 to publish notifications from this bucket"
    assert said == {QUEUE: words.format("queue"), topic: words.format("topic")}

    set_policy(sqs, queue, policy_for(QUEUE, "sqs:SendMessage", "s3.amazonaws.com", source=BUCKET))
    opened = policy_for(topic, "SNS:Publish", "s3.amazonaws.com", source=BUCKET)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=opened)
    configure()
    assert [body["Event"] for body in bodies(sqs, queue)] == ["s3:TestEvent"]
    s3.put_object(Bucket="told", Key="a", Body=b"x")
    assert [body["Records"][0]["s3"]["object"]["key"] for body in bodies(sqs, queue)] == ["a"]
    set_policy(sqs, queue, "")
    s3.put_object(Bucket="told", Key="b", Body=b"x")
    assert bodies(sqs, queue) == []


def test_a_topic_delivers_only_to_queues_that_let_it_in(instance: Instance) -> None:
    sns, sqs = instance.client("sns"), instance.client("sqs")
    queue = sqs.create_queue(QueueName="shut")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:shut"
    dead = open_queue(sqs, "dead")
    topic = sns.create_topic(Name="news")["TopicArn"]
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RedrivePolicy": json.dumps(redrive)}
    )  # fmt: skip
    sns.publish(TopicArn=topic, Message="lost")

    def gave_up() -> Any:
        found = open_door(instance.data).get("outbox", limit=100)["deliveries"]
        return [one for one in found if one["topic"] == topic and one["state"] == "dead"]

    [failed] = eventually(gave_up, what="the delivery that fails")
    assert failed["attempts"] == 1
    assert failed["last_error"].startswith(f"AccessDenied: the policy of {arn} does not let sns.amazonaws.com do")
    assert [body["Message"] for body in bodies(sqs, dead)] == ["lost"]
    set_policy(sqs, queue, policy_for(arn, "sqs:SendMessage", "sns.amazonaws.com", source=topic))
    instance.json("outbox", "--redrive", str(failed["id"]))
    assert [body["Message"] for body in eventually(lambda: bodies(sqs, queue), what="the message")] == ["lost"]


def test_permissions_are_statements_of_the_policy(instance: Instance) -> None:
    sns, sqs = instance.client("sns"), instance.client("sqs")
    topic, queue = sns.create_topic(Name="shared")["TopicArn"], sqs.create_queue(QueueName="shared")["QueueUrl"]
    sns.add_permission(TopicArn=topic, Label="them", AWSAccountId=["111111111111"], ActionName=["Publish"])
    sqs.add_permission(QueueUrl=queue, Label="them", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
    policies = [
        json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]),
        json.loads(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]),
    ]
    for policy, action in zip(policies, ("SNS:Publish", "SQS:SendMessage"), strict=True):
        added = policy["Statement"][-1]
        assert (added["Sid"], added["Action"]) == ("them", action)
        assert added["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    assert [one["Sid"] for one in policies[0]["Statement"]] == ["__default_statement_ID", "them"]
    with pytest.raises(sns.exceptions.InvalidParameterException, match="Statement already exists"):
        sns.add_permission(TopicArn=topic, Label="them", AWSAccountId=["111111111111"], ActionName=["Publish"])
    with pytest.raises(ClientError, match="Only the queue owner is allowed to invoke this action"):
        sqs.add_permission(QueueUrl=queue, Label="more", AWSAccountIds=["111111111111"], Actions=["CreateQueue"])
    with pytest.raises(ClientError, match="can't find label on existing policy"):
        sqs.remove_permission(QueueUrl=queue, Label="nobody")
    sns.remove_permission(TopicArn=topic, Label="them")
    sqs.remove_permission(QueueUrl=queue, Label="them")
    assert "them" not in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    assert not sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"]).get("Attributes")
    policy = policy_for(topic, "s3:GetObject", "s3.amazonaws.com")
    with pytest.raises(sns.exceptions.InvalidParameterException, match="action out of service scope"):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    with pytest.raises(ClientError, match="Invalid value for the parameter Policy"):
        set_policy(sqs, queue, "{}")
