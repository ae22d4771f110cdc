"""Who is told of the end of an asynchronous invocation, with real boto3: destinations and dead-letter queues."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, Start, eventually, invoke, start_alight, sweep
from tests.walk.making import open_queue

ROLE = "arn:aws:iam::000000000000:role/teller"
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
CODE = """
import time
def works(event, context):
    return {"got": event}
def fails(event, context):
    raise KeyError("nothing there")
def slow(event, context):
    time.sleep(event)
    return "slept"
"""


def package(code: str = CODE) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    return buffer.getvalue()


def permit(instance: Instance, *actions: str) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    instance.client("iam").put_role_policy(RoleName="teller", PolicyName="tells", PolicyDocument=json.dumps(policy))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("told") / "data", ALIGHT_RETRY_DELAYS="0.05,0.05")
    started.client("iam").create_role(RoleName="teller", AssumeRolePolicyDocument=json.dumps(TRUST))
    yield started
    sweep(started.process)


def make(instance: Instance, name: str, handler: str, **members: Any) -> None:
    given = {"FunctionName": name, "Runtime": "python3.11", "Role": ROLE, "Handler": f"app.{handler}", "Timeout": 20}
    instance.client("lambda").create_function(**given, Code={"ZipFile": package()}, **members)


def queue(instance: Instance, name: str) -> tuple[str, str]:
    """Its URL and ARN."""
    sqs = instance.client("sqs")
    url = open_queue(sqs, name)
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(instance: Instance, url: str) -> list[Any]:
    """What comes next into a queue; waits for it."""
    sqs = instance.client("sqs")
    more = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "MessageAttributeNames": ["All"]}
    messages: list[Any] = sqs.receive_message(QueueUrl=url, **more).get("Messages", [])
    return messages


def waiting(instance: Instance, url: str) -> int:
    attributes = instance.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def event(instance: Instance, name: str, payload: Any) -> str:
    given = {"FunctionName": name, "InvocationType": "Event", "Payload": json.dumps(payload)}
    id: str = invoke(instance.client("lambda"), **given)["ResponseMetadata"]["RequestId"]
    return id


def refused(code: str, text: str, call: Any, **given: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"], error


def test_a_destination_needs_a_target_and_the_permission_to_reach_it(instance: Instance) -> None:
    make(instance, "checked", "works")
    _, arn = queue(instance, "checked")
    functions = instance.client("lambda")
    put = functions.put_function_event_invoke_config

    def to(target: str) -> dict[str, Any]:
        return {"FunctionName": "checked", "DestinationConfig": {"OnSuccess": {"Destination": target}}}

    invalid = "InvalidParameterValueException"
    iam = instance.client("iam")
    for name in iam.list_role_policies(RoleName="teller")["PolicyNames"]:
        iam.delete_role_policy(RoleName="teller", PolicyName=name)
    refused(invalid, f"does not have permissions to call SendMessage on {arn}", put, **to(arn))
    letters = {"FunctionName": "checked", "DeadLetterConfig": {"TargetArn": arn}}
    refused(invalid, "call SendMessage on SQS", functions.update_function_configuration, **letters)
    permit(instance, "sqs:SendMessage", "lambda:InvokeFunction")
    refused(invalid, "is invalid", put, **to(f"{arn}-gone"))
    refused(invalid, "for itself", put, **to("arn:aws:lambda:us-east-1:000000000000:function:checked"))
    refused("NotImplemented", "EventBridge", put, **to("arn:aws:events:us-east-1:000000000000:event-bus/default"))
    refused(invalid, "at least one", put, FunctionName="checked")

    kept = put(**to(arn))["DestinationConfig"]
    assert kept == {"OnSuccess": {"Destination": arn}, "OnFailure": {}}
    changed = functions.update_function_event_invoke_config(FunctionName="checked", MaximumRetryAttempts=1)
    assert (changed["DestinationConfig"], changed["MaximumRetryAttempts"]) == (kept, 1)
    [listed] = functions.list_function_event_invoke_configs(FunctionName="checked")["FunctionEventInvokeConfigs"]
    assert listed["DestinationConfig"] == kept
    assert listed["FunctionArn"].endswith(":checked:$LATEST")
    assert functions.update_function_configuration(**letters)["DeadLetterConfig"] == {"TargetArn": arn}
    letters["DeadLetterConfig"] = {"TargetArn": ""}
    assert "DeadLetterConfig" not in functions.update_function_configuration(**letters)


def test_success_and_failure_are_told_once_in_lambdas_words(instance: Instance) -> None:
    permit(instance, "sqs:SendMessage", "sns:Publish", "lambda:InvokeFunction")
    good, good_arn = queue(instance, "good")
    bad, bad_arn = queue(instance, "bad")
    dead, dead_arn = queue(instance, "dead")
    topic = instance.client("sns").create_topic(Name="failures")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    instance.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bad_arn, Attributes=raw)
    functions = instance.client("lambda")
    make(instance, "works", "works")
    make(instance, "echoes", "works")
    make(instance, "fails", "fails", DeadLetterConfig={"TargetArn": dead_arn})
    echoes = functions.get_function_configuration(FunctionName="echoes")["FunctionArn"]
    for name, target in (("works", echoes), ("echoes", good_arn)):
        to = {"OnSuccess": {"Destination": target}}
        functions.put_function_event_invoke_config(FunctionName=name, DestinationConfig=to)
    to = {"OnSuccess": {"Destination": good_arn}, "OnFailure": {"Destination": topic}}
    functions.put_function_event_invoke_config(FunctionName="fails", MaximumRetryAttempts=1, DestinationConfig=to)

    id = event(instance, "works", {"a": 1})
    [message] = received(instance, good)
    record = json.loads(message["Body"])["responsePayload"]["got"]
    assert record["version"] == "1.0"
    assert record["timestamp"].endswith("Z")
    assert record["requestContext"] == {
        "requestId": id,
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:works:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert record["requestPayload"] == {"a": 1}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"] == {"got": {"a": 1}}
    [attempt] = instance.json("explain", id)["steps"]
    assert [step["what"] for step in attempt["steps"] if step["what"] != "start of a worker"] == ["lambda OnSuccess"]

    id = event(instance, "fails", {"b": 2})
    [message] = received(instance, bad)
    record = json.loads(message["Body"])
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 2)
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorType"] == "KeyError"
    [letter] = received(instance, dead)
    assert json.loads(letter["Body"]) == {"b": 2}
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes == {"RequestID": id, "ErrorCode": "200", "ErrorMessage": "'nothing there'"}
    assert instance.json("events", "show", id)["state"] == "dead", "our own dead letter stays"
    assert [waiting(instance, url) for url in (good, bad, dead)] == [0, 0, 0], "told once each"


def test_what_may_never_run_is_told_too_and_a_lost_permission_tells_nobody(instance: Instance) -> None:
    permit(instance, "sqs:SendMessage")
    url, arn = queue(instance, "never")
    make(instance, "never", "works")
    functions = instance.client("lambda")
    to = {"OnFailure": {"Destination": arn}, "OnSuccess": {"Destination": arn}}
    functions.put_function_event_invoke_config(FunctionName="never", DestinationConfig=to)
    functions.put_function_concurrency(FunctionName="never", ReservedConcurrentExecutions=0)
    event(instance, "never", {})
    [message] = received(instance, url)
    record = json.loads(message["Body"])
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("ZeroReservedConcurrency", 0)
    assert not {"responsePayload", "responseContext"} & set(record)
    functions.delete_function_concurrency(FunctionName="never")
    permit(instance, "sns:Publish")
    id = event(instance, "never", {})
    eventually(lambda: instance.json("events", "show", id)["state"] == "succeeded", what="the run")
    assert waiting(instance, url) == 0
    assert "did not reach" in instance.stderr.read_text()


def test_functions_that_tell_each_other_for_ever_are_stopped(instance: Instance) -> None:
    permit(instance, "lambda:InvokeFunction")
    functions = instance.client("lambda")
    arns = []
    for name in ("ping", "pong"):
        make(instance, name, "slow")
        arns.append(functions.get_function_configuration(FunctionName=name)["FunctionArn"])
    for name, target in zip(("ping", "pong"), reversed(arns), strict=True):
        to = {"OnFailure": {"Destination": target}}
        functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, DestinationConfig=to)
    event(instance, "ping", "no number")
    eventually(lambda: "that is a loop" in instance.stderr.read_text(), 60, "the end of the loop")

    def ran() -> int:
        events = instance.json("events", "list", "--limit", "100")["events"]
        return len([one for one in events if one["function"] in ("ping", "pong") and one["state"] == "dead"])

    eventually(lambda: ran() == 17, what="the first one and sixteen that were told")


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Told: {Type: AWS::SQS::Queue}
  Letters: {Type: AWS::SQS::Queue}
  Slow:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: slow
      Handler: app.slow
      Runtime: python3.11
      Timeout: 60
      CodeUri: code
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Letters.Arn}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig:
          OnSuccess: {Type: SQS, Destination: !GetAtt Told.Arn}
Outputs:
  Told: {Value: !Ref Told}
  Letters: {Value: !Ref Letters}
"""


def test_a_template_says_whom_to_tell_and_kill_9_tells_once(start: Start, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(CODE)
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    instance = start(template, ALIGHT_RETRY_DELAYS="0.05", timeout=60)
    id = event(instance, "slow", 1)
    eventually(lambda: instance.json("events", "show", id)["state"] == "running", what="the start of the run")
    instance.kill()
    again = start(template, instance.data, ALIGHT_RETRY_DELAYS="0.05", timeout=60)
    outputs = again.json("outputs")
    [message] = received(again, outputs["Told"])
    record = json.loads(message["Body"])
    assert (record["requestContext"]["requestId"], record["responsePayload"]) == (id, "slept")
    event(again, "slow", "no number")
    [letter] = received(again, outputs["Letters"])
    assert json.loads(letter["Body"]) == "no number"
    assert waiting(again, outputs["Told"]) == 0
