"""What CloudWatch knows of the whole walk: function, endpoint, topic; and still knows after a `kill -9`."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support import eventually, invoke
from tests.walk.conftest import PICTURES, Birds
from tests.walk.counting import total
from tests.walk.sinks import Webhook


def test_the_walk_is_counted_and_the_numbers_outlive_a_kill(birds: Birds, hook: Webhook) -> None:
    birds.subscribe(hook)
    names = sorted(PICTURES)[:2]
    for name in names:
        birds.put(f"birds/{name}", PICTURES[name])
    hook.wait_for(2)
    instance, function = birds.instance, birds.outputs["FunctionName"]
    answer = invoke(instance.client("lambda"), FunctionName=function, Payload=b'{"no": "event"}')
    assert answer["FunctionError"] == "Unhandled"
    version = instance.client("lambda").publish_version(FunctionName=function)["Version"]
    invoke(instance.client("lambda"), FunctionName=function, Qualifier=version, Payload=b'{"no": "event"}')
    endpoint = birds.outputs["EndpointName"]
    with pytest.raises(ClientError):
        instance.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, ContentType="application/x-image", Body=b"no picture"
        )
    listed = instance.client("cloudwatch").list_metrics(Namespace="AWS/SageMaker", MetricName="ModelLatency")
    [variant] = [metric["Dimensions"] for metric in listed["Metrics"]]
    model = {one["Name"]: one["Value"] for one in variant}
    assert model["EndpointName"] == endpoint
    topic = birds.outputs["TopicArn"].rpartition(":")[2]
    eventually(
        lambda: total(instance, "AWS/SNS", "NumberOfNotificationsDelivered", TopicName=topic) == 2,
        what="the count of what was delivered",
    )

    def counted() -> dict[str, float | None]:
        of_function = {
            name: total(instance, "AWS/Lambda", name, FunctionName=function)
            for name in ("Invocations", "Errors", "Throttles", "AsyncEventsReceived", "AsyncEventsDropped")
        }
        of_model = {
            name: total(instance, "AWS/SageMaker", name, **model)
            for name in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")
        }
        of_topic = {
            name: total(instance, "AWS/SNS", name, TopicName=topic)
            for name in ("NumberOfMessagesPublished", "NumberOfNotificationsDelivered", "NumberOfNotificationsFailed")
        }
        return of_function | {f"model {name}": value for name, value in of_model.items()} | of_topic

    expected = {
        "Invocations": 4, "Errors": 2, "Throttles": 0, "AsyncEventsReceived": 2, "AsyncEventsDropped": None,
        "model Invocations": 3, "model Invocation4XXErrors": 1, "model Invocation5XXErrors": 0,
        "NumberOfMessagesPublished": 2, "NumberOfNotificationsDelivered": 2, "NumberOfNotificationsFailed": None,
    }  # fmt: skip
    assert counted() == expected
    by_version = {"FunctionName": function, "Resource": f"{function}:{version}"}
    assert total(instance, "AWS/Lambda", "Errors", **by_version) == 1
    for namespace, name, place in (
        ("AWS/Lambda", "Duration", {"FunctionName": function}),
        ("AWS/Lambda", "ConcurrentExecutions", {}),
        ("AWS/Lambda", "AsyncEventAge", {"FunctionName": function}),
        ("AWS/SageMaker", "ModelLatency", model),
        ("AWS/SageMaker", "OverheadLatency", model),
        ("AWS/SageMaker", "InvocationsPerInstance", model),
    ):
        highest = total(instance, namespace, name, "Maximum", **place)
        assert (highest or 0) > 0, name
    instance.kill()
    instance = birds.again().instance
    assert counted() == expected
