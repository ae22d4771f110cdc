"""InvokeEndpointAsync: what is refused, what the journal keeps, what is told of inferences that never ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alight.errors.sagemaker import ValidationError, ValidationException
from alight.events.ended import Ended
from alight.services.sagemaker import inferences
from alight.store import journal
from tests.unit.services.sagemaker.conftest import Door, variant
from tests.unit.services.sagemaker.test_service import URL, conforms, put

TOPIC = "arn:aws:sns:us-east-1:000000000000:ended"
CONFIG = {"OutputConfig": {"S3OutputPath": "s3://out/here/", "NotificationConfig": {"ErrorTopic": TOPIC}}}


@pytest.fixture
async def serving(door: Door, tmp_path: Path) -> Door:
    """An asynchronous endpoint `a` and another one, `b`, of a model that acts for the owner."""
    put(door, tmp_path, "one")
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})
    for name, config in (("a", {"AsyncInferenceConfig": CONFIG}), ("b", {})):
        await door.control(
            "CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant("one")], **config
        )
        await door.control("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
        described = await door.settled(name)
        conforms("DescribeEndpoint", described)
        assert described["EndpointStatus"] == "InService"
    return door


async def ask(door: Door, name: str = "a", **given: Any) -> dict[str, Any]:
    return await door("sagemaker-runtime", "InvokeEndpointAsync", EndpointName=name, **given)


async def test_what_cannot_be_run_is_refused(serving: Door) -> None:
    place = {"InputLocation": "s3://in/key"}
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("b", place, "is not an asynchronous endpoint"),
        ("c", place, "Endpoint c of account 000000000000 not found"),
        ("a", {}, "Either an InputLocation or a Body"),
        ("a", {**place, "Body": b"x"}, "Either an InputLocation or a Body"),
        ("a", {"InputLocation": "https://in/key"}, "Invalid InputLocation"),
        ("a", {"InputLocation": "s3://in"}, "Invalid InputLocation"),
        ("a", {"Body": b"x" * 128_001}, "128000 are allowed"),
        ("a", {**place, "RequestTTLSeconds": 59}, "from 60 to 21600"),
        ("a", {**place, "InvocationTimeoutSeconds": 3601}, "from 1 to 3600"),
    ]
    for name, given, message in refused:
        with pytest.raises(ValidationError, match=message):
            await ask(serving, name, **given)
    with pytest.raises(ValidationException, match="S3OutputPath"):
        await serving.control(
            "CreateEndpointConfig",
            EndpointConfigName="c",
            ProductionVariants=[variant("one")],
            AsyncInferenceConfig={"OutputConfig": {}},
        )


async def test_the_journal_keeps_all_that_it_takes_and_a_deleted_endpoint_is_told(serving: Door) -> None:
    asynchronous = serving.service.asynchronous
    made = await ask(serving, Body=b"inline", InferenceId="mine", RequestTTLSeconds=60)
    conforms("InvokeEndpointAsync", made, "sagemaker-runtime")
    assert made["OutputLocation"].startswith("s3://out/here/")
    [arn] = journal.functions_with_work(serving.database.read())
    now = serving.database.clock.now()
    [event] = await serving.database.write(lambda tx: journal.lease(tx, arn, 1, now))
    assert (event.retries, event.expires - event.accepted) == (0, 60.0)
    target = asynchronous.target(arn)
    assert target is not None
    assert target.free == 1
    # It runs without anything but the event
    result = await asynchronous.event(event)
    assert result.outcome == "ok"
    assert serving.bucket.put == {made["OutputLocation"]: b"inline one"}
    # And what never runs is told, too
    await serving.control("DeleteEndpoint", EndpointName="a")
    target = asynchronous.target(arn)
    assert target is not None
    assert target.disabled == "EndpointNotFound"
    assert target.tell is not None
    serving.bucket.told.clear()
    await serving.database.write(target.tell(Ended(event, target.disabled, 0, None, now)))
    [(topic, text)] = serving.bucket.told
    message = json.loads(text)
    assert (topic, message["invocationStatus"], message["inferenceId"]) == (TOPIC, "Failed", "mine")
    assert message["failureReason"] == "ClientError: The endpoint was deleted before the request was processed."
    assert "responseParameters" not in message


async def test_a_topic_that_the_role_may_not_publish_to_is_not_told(serving: Door) -> None:
    await serving.service.asynchronous.test_topics("a", "arn:aws:iam::000000000000:role/r", CONFIG)
    assert serving.bucket.told == [(TOPIC, inferences.TEST)]  # that of the creation, by the owner
    [(endpoint, _, line)] = serving.bucket.lines
    assert endpoint == "a"
    assert "not authorized to perform: sns:Publish on resource: " + TOPIC in line


async def test_nobody_else_directs_what_a_model_does_for_the_owner(serving: Door) -> None:
    serving.kind, serving.role = "role", "someone"
    given: dict[str, Any] = {"EndpointConfigName": "mine", "ProductionVariants": [variant("one")]}
    with pytest.raises(ValidationException, match="ExecutionRoleArn must be given"):
        await serving.control("CreateEndpointConfig", **given, AsyncInferenceConfig=CONFIG)
    await serving.control("CreateEndpointConfig", **given)
