"""Custom resources: functions that are asked to make, change and remove things, and answer, or do not."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support import Instance, Start, eventually, start_alight, sweep
from tests.walk.test_formation import history, settled

MAKER = """\
Resources:
  Told: {Type: AWS::SQS::Queue}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: tell
          PolicyDocument: {Statement: {Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Told.Arn}}
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: python3.11
      Timeout: 60
      MemorySize: 256
      Role: !GetAtt Role.Arn
      Environment: {Variables: {TOLD: !Ref Told}}
      Code:
        ZipFile: |
          import json, os
          import boto3
          import cfnresponse
          def handler(event, context):
              boto3.client("sqs").send_message(QueueUrl=os.environ["TOLD"], MessageBody=json.dumps(event))
              word = event["ResourceProperties"]["Word"]
              if event["RequestType"] != "Delete":
                  if word == "raise":
                      raise RuntimeError("as told")
                  if word == "silent":
                      return
                  if word == "fail":
                      return cfnresponse.send(event, context, cfnresponse.FAILED, {}, reason="as told")
              data = {"Loud": word.upper()}
              secret = event["ResourceProperties"].get("Secret") == "true"
              cfnresponse.send(event, context, cfnresponse.SUCCESS, data, "thing-" + word, noEcho=secret)
Outputs:
  Maker: {Value: !GetAtt Maker.Arn, Export: {Name: !Sub "${AWS::StackName}-maker"}}
  Told: {Value: !Ref Told}
"""
THING = """\
Parameters:
  Word: {Type: String}
  Limit: {Type: Number, Default: 60}
Resources:
  Thing:
    Type: Custom::Thing
    Properties:
      ServiceToken: !ImportValue maker-maker
      ServiceTimeout: !Ref Limit
      Word: !Ref Word
      Secret: true
      Numbers: [1, {Two: 2}]
  Sign:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !GetAtt Thing.Loud}
Outputs:
  Ref: {Value: !Ref Thing}
  Loud: {Value: !GetAtt Thing.Loud}
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("custom") / "data")
    make_maker(started)
    yield started
    sweep(started.process)


def make_maker(instance: Instance) -> None:
    stacks = instance.client("cloudformation")
    stacks.create_stack(StackName="maker", TemplateBody=MAKER, Capabilities=["CAPABILITY_IAM"])
    assert settled(stacks, "maker")["StackStatus"] == "CREATE_COMPLETE"


def word(text: str, **more: str) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in {"Word": text, **more}.items()]


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def requests(instance: Instance) -> list[dict[str, Any]]:
    """Every request that the function got since the last look."""
    sqs = instance.client("sqs")
    [stack] = instance.client("cloudformation").describe_stacks(StackName="maker")["Stacks"]
    queue, found = outputs(stack)["Told"], []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for one in messages:
            found.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
    return found


def test_a_function_makes_changes_and_removes(instance: Instance) -> None:
    stacks, sns = instance.client("cloudformation"), instance.client("sns")
    requests(instance)
    made = stacks.create_stack(StackName="thing", TemplateBody=THING, Parameters=word("one"))
    assert outputs(settled(stacks, "thing")) == {"Ref": "thing-one", "Loud": "ONE"}
    [asked] = requests(instance)
    assert asked["RequestType"] == "Create"
    assert (asked["StackId"], asked["LogicalResourceId"], asked["ResourceType"]) == (
        made["StackId"], "Thing", "Custom::Thing",
    )  # fmt: skip
    assert asked["ResourceProperties"]["Numbers"] == ["1", {"Two": "2"}]
    assert "PhysicalResourceId" not in asked
    [sign] = [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    assert sns.get_topic_attributes(TopicArn=sign)["Attributes"]["DisplayName"] == "ONE"
    told = stacks.describe_stack_events(StackName="thing")["StackEvents"]
    shown = [json.loads(one["ResourceProperties"]) for one in told if one["LogicalResourceId"] == "Sign"]
    assert [one["DisplayName"] for one in shown] == ["****", "****"]

    stacks.update_stack(StackName="thing", UsePreviousTemplate=True, Parameters=word("two"))
    assert outputs(settled(stacks, "thing")) == {"Ref": "thing-two", "Loud": "TWO"}
    assert sns.get_topic_attributes(TopicArn=sign)["Attributes"]["DisplayName"] == "TWO"
    changed, removed = requests(instance)
    assert (changed["RequestType"], changed["PhysicalResourceId"]) == ("Update", "thing-one")
    assert changed["OldResourceProperties"]["Word"] == "one"
    # The function has put another thing in its place: the first one goes.
    assert (removed["RequestType"], removed["PhysicalResourceId"]) == ("Delete", "thing-one")

    stacks.update_stack(StackName="thing", UsePreviousTemplate=True, Parameters=word("fail"))
    stack = settled(stacks, "thing")
    assert (stack["StackStatus"], outputs(stack)) == (
        "UPDATE_ROLLBACK_COMPLETE", {"Ref": "thing-two", "Loud": "TWO"},
    )  # fmt: skip
    told = stacks.describe_stack_events(StackName="thing")["StackEvents"]
    [failed] = [one for one in told if one["ResourceStatus"] == "UPDATE_FAILED"]
    assert (
        "Received response status [FAILED] from custom resource. Message returned: as told"
        in (failed["ResourceStatusReason"])
    )
    back = requests(instance)
    assert [(one["RequestType"], one["ResourceProperties"]["Word"]) for one in back] == [
        ("Update", "fail"), ("Update", "two"),
    ]  # fmt: skip

    # Its address is good for one answer; nobody else's is good for any.
    for url in (asked["ResponseURL"], asked["ResponseURL"][:-1] + "x", f"{instance.url}/_aws/cloudformation/"):
        with pytest.raises(urllib.error.HTTPError) as problem:
            urllib.request.urlopen(urllib.request.Request(url, b"{}", method="PUT"), timeout=20)
        assert problem.value.code == 403
        problem.value.close()
    stacks.delete_stack(StackName="thing")
    stacks.get_waiter("stack_delete_complete").wait(StackName="thing", WaiterConfig={"Delay": 1})
    assert [(one["RequestType"], one["PhysicalResourceId"]) for one in requests(instance)] == [("Delete", "thing-two")]


@pytest.mark.parametrize(
    ("text", "limit", "words"),
    [
        ("raise", "60", "The function failed before it answered: "),
        ("silent", "1", "did not receive a response from your Custom Resource"),
        ("fail", "60", "Message returned: as told (RequestId: "),
    ],
)
def test_what_a_function_does_not_make_is_taken_back(instance: Instance, text: str, limit: str, words: str) -> None:
    stacks = instance.client("cloudformation")
    requests(instance)
    stacks.create_stack(StackName=text, TemplateBody=THING, Parameters=word(text, Limit=limit))
    assert settled(stacks, text)["StackStatus"] == "ROLLBACK_COMPLETE"
    told = stacks.describe_stack_events(StackName=text)["StackEvents"]
    [failed] = [one for one in told if one["ResourceStatus"] == "CREATE_FAILED"]
    assert words in failed["ResourceStatusReason"]
    assert history(stacks, text)[-3:-1] == [("Thing", "DELETE_IN_PROGRESS"), ("Thing", "DELETE_COMPLETE")]
    assert [one["RequestType"] for one in requests(instance)] == ["Create", "Delete"]
    stacks.delete_stack(StackName=text)


def test_what_an_answer_does_not_say_fails_who_asks_for_it(instance: Instance) -> None:
    stacks = instance.client("cloudformation")
    by_resource = THING.replace("DisplayName: !GetAtt Thing.Loud", "DisplayName: !GetAtt Thing.Nope")
    by_output = THING.replace("{Value: !GetAtt Thing.Loud}", "{Value: !GetAtt Thing.Nope}")
    for name, template, words in (("resource", by_resource, "[Sign]"), ("output", by_output, "Outputs.Loud.Value")):
        stacks.create_stack(StackName=name, TemplateBody=template, Parameters=word("one"))
        assert settled(stacks, name)["StackStatus"] == "ROLLBACK_COMPLETE"
        told = stacks.describe_stack_events(StackName=name)["StackEvents"]
        [why] = [one["ResourceStatusReason"] for one in told if one["ResourceStatus"] == "ROLLBACK_IN_PROGRESS"]
        assert words in why
        stacks.delete_stack(StackName=name)


def test_topics_as_service_tokens_are_refused(instance: Instance) -> None:
    template = THING.replace("!ImportValue maker-maker", "arn:aws:sns:us-east-1:000000000000:t")
    with pytest.raises(ClientError, match="topics as service tokens are not offered"):
        instance.client("cloudformation").create_stack(
            StackName="topic", TemplateBody=template, Parameters=word("x")
        )  # fmt: skip


def test_an_answer_is_waited_for_through_a_kill(start: Start) -> None:
    """The function that was asked dies with the instance; it is asked again, under the same id."""
    instance = start()
    make_maker(instance)
    stacks = instance.client("cloudformation")

    def make() -> None:
        # Answered just before the kill, or the connection goes in one way or another.
        with suppress(BotoCoreError, ClientError):
            instance.client("cloudformation").create_stack(
                StackName="thing", TemplateBody=THING, Parameters=word("silent")
            )  # fmt: skip

    making = threading.Thread(target=make)
    making.start()
    [first] = eventually(lambda: requests(instance), what="the request")
    instance.kill()
    making.join(60)
    again = start()
    stacks = again.client("cloudformation")
    [second] = eventually(lambda: requests(again), what="the request, again")
    assert second["RequestId"] == first["RequestId"]
    answer(second, Data={"Loud": "LATE"})
    assert outputs(settled(stacks, "thing")) == {"Ref": "by-hand", "Loud": "LATE"}


def test_a_template_s_file_has_them_too(start: Start, tmp_path: Path) -> None:
    own = MAKER.replace("Outputs:", THING.partition("Resources:\n")[2].partition("Outputs:")[0] + "Outputs:")
    own = own.replace("!ImportValue maker-maker", "!GetAtt Maker.Arn").replace("!Ref Word", "word")
    own = own.replace("!Ref Limit", "60") + "  Loud: {Value: !GetAtt Thing.Loud}\n"
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "template.yaml").write_text(own)
    assert start(folder).json("outputs")["Loud"] == "WORD"


def answer(request: dict[str, Any], **more: Any) -> None:
    """Answer by hand what the function left unanswered."""
    content = json.dumps({"Status": "SUCCESS", "PhysicalResourceId": "by-hand", "Data": {"Loud": "x"}} | more)
    url = request["ResponseURL"]
    urllib.request.urlopen(urllib.request.Request(url, content.encode(), method="PUT"), timeout=20).close()


def test_an_update_is_cancelled_stuck_killed_and_gone_back_from(start: Start) -> None:
    """Every request is answered by hand, so that each state lasts as long as the test wants it to."""
    instance = start()
    make_maker(instance)

    def asked(running: Instance) -> dict[str, Any]:
        [found] = eventually(lambda: requests(running), what="a request")
        assert found["ResourceProperties"]["Word"] == "silent"
        return dict(found)

    stacks = instance.client("cloudformation")
    stacks.create_stack(StackName="thing", TemplateBody=THING, Parameters=word("silent"))
    answer(asked(instance))
    assert settled(stacks, "thing")["StackStatus"] == "CREATE_COMPLETE"

    # Cancelled: the step that is under way comes to its end, the next one is not taken.
    more = THING.replace("Outputs:", "  Last: {Type: AWS::SNS::Topic, DependsOn: Thing}\nOutputs:")
    stacks.update_stack(StackName="thing", TemplateBody=more, Parameters=word("silent", Limit="61"))
    request = asked(instance)
    stacks.cancel_update_stack(StackName="thing")
    answer(request)
    back = asked(instance)
    assert back["ResourceProperties"]["ServiceTimeout"] == "60"
    # It does not get back: stuck, until somebody has it go on.
    answer(back, Status="FAILED", Reason="not today")
    assert settled(stacks, "thing")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(ClientError, match="is in UPDATE_ROLLBACK_FAILED state and can not be updated"):
        stacks.update_stack(StackName="thing", UsePreviousTemplate=True, Parameters=word("silent", Limit="62"))
    stacks.continue_update_rollback(StackName="thing")
    back = asked(instance)
    # Killed on the way back: the next start goes the rest of it.
    instance.kill()
    again = start()
    stacks = again.client("cloudformation")
    last = asked(again)
    assert last["RequestId"] == back["RequestId"]
    answer(last)
    stack = settled(stacks, "thing")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Last" not in [
        one["LogicalResourceId"] for one in stacks.describe_stack_resources(StackName="thing")["StackResources"]
    ]
    shown = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert shown == {"Word": "silent", "Limit": "60"}
