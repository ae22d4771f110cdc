"""CloudFormation with real boto3: stacks are made, changed, taken back and removed, with events, over the wire."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support import Instance, Start, eventually, invoke, start_alight, sweep

HELLO = """\
AWSTemplateFormatVersion: 2010-09-09
Description: says hello
Parameters:
  Greeting: {Type: String, Default: hello, AllowedValues: [hello, moin]}
  Secret: {Type: String, NoEcho: true}
Conditions:
  Polite: !Equals [!Ref Greeting, hello]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: python3.11
      Role: !GetAtt Role.Arn
      Environment: {Variables: {GREETING: !Ref Greeting, SECRET: !Ref Secret}}
      Code:
        ZipFile: |
          import os
          def handler(event, context):
              return os.environ["GREETING"] + " " + os.environ["SECRET"]
  Jobs:
    Type: AWS::SQS::Queue
    Condition: Polite
Outputs:
  Function: {Value: !Ref Function, Export: {Name: !Sub "${AWS::StackName}-function"}}
  StackId: {Value: !Ref AWS::StackId, Description: who I am}
"""
SECRET = {"ParameterKey": "Secret", "ParameterValue": "s3cret"}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("formation") / "data")
    yield started
    sweep(started.process)


@pytest.fixture
def stacks(instance: Instance) -> Any:
    return instance.client("cloudformation")


def settled(stacks: Any, name: str) -> dict[str, Any]:
    """The stack once nothing is under way."""

    def done() -> dict[str, Any] | None:
        [stack] = stacks.describe_stacks(StackName=name)["Stacks"]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    found: dict[str, Any] = eventually(done, timeout=60, what=f"the end of the work on {name}")
    return found


def shown(stacks: Any, stack: str, logical_id: str) -> tuple[str, str]:
    """What the stack says its resource is, and how it is."""
    detail = stacks.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)["StackResourceDetail"]
    return detail["PhysicalResourceId"], detail["ResourceStatus"]


def history(stacks: Any, name: str) -> list[tuple[str, str]]:
    """(logical id, status) of every event, oldest first."""
    pages = stacks.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]


def refusal(problem: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def topic(name: str, **properties: Any) -> str:
    return json.dumps(
        {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, **properties}}}}
    )


def everything(instance: Instance) -> list[list[str]]:
    """Functions, roles and queues, by their names."""
    functions = instance.client("lambda").list_functions()["Functions"]
    roles = instance.client("iam").list_roles()["Roles"]
    queues = instance.client("sqs").list_queues().get("QueueUrls", [])
    return [[one["FunctionName"] for one in functions], [one["RoleName"] for one in roles], queues]


def test_a_stack_lives_and_dies(instance: Instance, stacks: Any) -> None:
    before = everything(instance)
    with pytest.raises(ClientError) as problem:
        stacks.create_stack(StackName="hello", TemplateBody=HELLO, Parameters=[SECRET])
    assert refusal(problem) == ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")

    made = stacks.create_stack(
        StackName="hello", TemplateBody=HELLO, Parameters=[SECRET], Capabilities=["CAPABILITY_IAM"]
    )
    stack = settled(stacks, "hello")
    assert (stack["StackStatus"], stack["StackId"]) == ("CREATE_COMPLETE", made["StackId"])
    assert stack["Description"] == "says hello"
    shown = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert shown == {"Greeting": "hello", "Secret": "****"}
    outputs = {one["OutputKey"]: one for one in stack["Outputs"]}
    assert outputs["StackId"] == {"OutputKey": "StackId", "OutputValue": made["StackId"], "Description": "who I am"}
    function = outputs["Function"]["OutputValue"]
    assert outputs["Function"]["ExportName"] == "hello-function"
    assert invoke(instance.client("lambda"), FunctionName=function)["Payload"] == b'"hello s3cret"'
    assert history(stacks, "hello") == [
        ("hello", "CREATE_IN_PROGRESS"),
        ("Role", "CREATE_IN_PROGRESS"), ("Role", "CREATE_COMPLETE"),
        ("Jobs", "CREATE_IN_PROGRESS"), ("Jobs", "CREATE_COMPLETE"),
        ("Function", "CREATE_IN_PROGRESS"), ("Function", "CREATE_COMPLETE"),
        ("hello", "CREATE_COMPLETE"),
    ]  # fmt: skip

    with pytest.raises(ClientError) as problem:
        stacks.create_stack(StackName="hello", TemplateBody=topic("t"))
    assert refusal(problem) == ("AlreadyExistsException", "Stack [hello] already exists")
    keep = {"ParameterKey": "Secret", "UsePreviousValue": True}
    same: dict[str, Any] = {
        "StackName": "hello", "UsePreviousTemplate": True, "Capabilities": ["CAPABILITY_IAM"], "Parameters": [keep],
    }  # fmt: skip
    with pytest.raises(ClientError) as problem:
        stacks.update_stack(**same)
    assert refusal(problem) == ("ValidationError", "No updates are to be performed.")
    stacks.update_stack(**same | {"Parameters": [keep, {"ParameterKey": "Greeting", "ParameterValue": "moin"}]})
    stacks.get_waiter("stack_update_complete").wait(StackName="hello", WaiterConfig={"Delay": 1})
    assert invoke(instance.client("lambda"), FunctionName=function)["Payload"] == b'"moin s3cret"'
    resources = stacks.describe_stack_resources(StackName="hello")["StackResources"]
    assert {one["LogicalResourceId"]: one["ResourceStatus"] for one in resources} == {
        "Role": "CREATE_COMPLETE", "Function": "UPDATE_COMPLETE",
    }  # fmt: skip
    assert everything(instance)[2] == before[2]
    assert stacks.get_template(StackName="hello")["TemplateBody"] == HELLO

    stacks.update_termination_protection(StackName="hello", EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        stacks.delete_stack(StackName="hello")
    stacks.update_termination_protection(StackName="hello", EnableTerminationProtection=False)
    stacks.delete_stack(StackName="hello")
    stacks.get_waiter("stack_delete_complete").wait(StackName="hello", WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError) as problem:
        stacks.describe_stacks(StackName="hello")
    assert refusal(problem) == ("ValidationError", "Stack with id hello does not exist")
    [gone] = stacks.describe_stacks(StackName=made["StackId"])["Stacks"]
    assert gone["StackStatus"] == "DELETE_COMPLETE"
    assert history(stacks, made["StackId"])[-3:] == [
        ("Role", "DELETE_IN_PROGRESS"), ("Role", "DELETE_COMPLETE"), ("hello", "DELETE_COMPLETE"),
    ]  # fmt: skip
    assert everything(instance) == before


def test_what_fails_is_taken_back(instance: Instance, stacks: Any) -> None:
    sns, sqs = instance.client("sns"), instance.client("sqs")
    theirs = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    bad = """\
Resources:
  News: {Type: AWS::SNS::Topic, Properties: {TopicName: ours}}
  Kept: {Type: AWS::SNS::Topic, DeletionPolicy: Retain, Properties: {TopicName: kept}}
  Jobs: {Type: AWS::SQS::Queue, DependsOn: [News, Kept], Properties: {QueueName: theirs}}
"""
    stacks.create_stack(StackName="fails", TemplateBody=bad)
    stack = settled(stacks, "fails")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE", stack
    reasons = [
        event["ResourceStatusReason"]
        for event in stacks.describe_stack_events(StackName="fails")["StackEvents"]
        if event["ResourceStatus"] in ("CREATE_FAILED", "ROLLBACK_IN_PROGRESS")
    ]
    assert reasons == ["The following resource(s) failed to create: [Jobs]. ", "theirs already exists"]
    # What was there before is not ours to delete.
    assert sqs.get_queue_url(QueueName="theirs")["QueueUrl"] == theirs
    assert [one["TopicArn"].rpartition(":")[2] for one in sns.list_topics()["Topics"]] == ["kept"]
    sns.delete_topic(TopicArn="arn:aws:sns:us-east-1:000000000000:kept")
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        stacks.update_stack(StackName="fails", TemplateBody=topic("x"))
    stacks.create_stack(StackName="stays", TemplateBody=bad, OnFailure="DO_NOTHING")
    assert settled(stacks, "stays")["StackStatus"] == "CREATE_FAILED"
    for name in ("fails", "stays"):
        stacks.delete_stack(StackName=name)
        stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    sqs.delete_queue(QueueUrl=theirs)
    sns.delete_topic(TopicArn="arn:aws:sns:us-east-1:000000000000:kept")


def test_a_failed_update_goes_back_to_what_was(instance: Instance, stacks: Any) -> None:
    s3, sns, sqs = instance.client("s3"), instance.client("sns"), instance.client("sqs")
    before = {
        "Resources": {
            "Box": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "box-one"}},
            "News": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "before"}},
        },
        "Outputs": {"News": {"Value": {"Ref": "News"}}},
    }
    stacks.create_stack(StackName="back", TemplateBody=json.dumps(before))
    news = settled(stacks, "back")["Outputs"][0]["OutputValue"]
    s3.put_object(Bucket="box-one", Key="precious", Body=b"x")
    sqs.create_queue(QueueName="taken")
    after = {
        "Resources": {
            "Box": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "box-two"}},
            "News": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "after"}},
            "More": {"Type": "AWS::SQS::Queue"},
            "Last": {"Type": "AWS::SQS::Queue", "DependsOn": ["Box", "News", "More"]},
        },
        "Outputs": before["Outputs"],
    }
    after["Resources"]["Last"]["Properties"] = {"QueueName": "taken"}  # type: ignore[index]
    stacks.update_stack(StackName="back", TemplateBody=json.dumps(after))
    stack = settled(stacks, "back")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", history(stacks, "back")
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["box-one"]
    assert shown(stacks, "back", "Box") == ("box-one", "UPDATE_COMPLETE")
    assert s3.head_object(Bucket="box-one", Key="precious")["ContentLength"] == 1
    assert sns.get_topic_attributes(TopicArn=news)["Attributes"]["DisplayName"] == "before"
    assert [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]] == ["taken"]
    # It can be updated again, and goes the whole way then.
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="taken")["QueueUrl"])
    stacks.update_stack(StackName="back", TemplateBody=json.dumps(after))
    assert settled(stacks, "back")["StackStatus"] == "UPDATE_COMPLETE"
    # The old bucket holds something: its removal failed, is told, and the update stands.
    assert ("Box", "DELETE_FAILED") in history(stacks, "back")
    assert shown(stacks, "back", "Box") == ("box-two", "UPDATE_COMPLETE")
    assert {one["Name"] for one in s3.list_buckets()["Buckets"]} == {"box-one", "box-two"}
    with pytest.raises(ClientError):
        stacks.delete_stack(StackName="back", RetainResources=["Box"])
    s3.put_object(Bucket="box-two", Key="precious", Body=b"x")
    stacks.delete_stack(StackName="back")
    stack = settled(stacks, "back")
    assert (stack["StackStatus"], stack["StackStatusReason"]) == (
        "DELETE_FAILED", "The following resource(s) failed to delete: [Box]. ",
    )  # fmt: skip
    stacks.delete_stack(StackName="back", RetainResources=["Box"])
    stacks.get_waiter("stack_delete_complete").wait(StackName="back", WaiterConfig={"Delay": 1})
    assert {one["Name"] for one in s3.list_buckets()["Buckets"]} == {"box-one", "box-two"}


def test_stacks_import_from_each_other(instance: Instance, stacks: Any) -> None:
    exporter = """\
Resources:
  News: {Type: AWS::SNS::Topic}
Outputs:
  News: {Value: !GetAtt News.TopicName, Export: {Name: news}}
"""
    importer = """\
Resources:
  More: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue news}}
"""
    with pytest.raises(ClientError, match="No export named news found"):
        stacks.create_stack(StackName="importer", TemplateBody=importer)
    stacks.create_stack(StackName="exporter", TemplateBody=exporter)
    settled(stacks, "exporter")
    stacks.create_stack(StackName="importer", TemplateBody=importer)
    settled(stacks, "importer")
    [export] = stacks.list_exports()["Exports"]
    [more] = stacks.describe_stack_resources(StackName="importer")["StackResources"]
    told = instance.client("sns").get_topic_attributes(TopicArn=more["PhysicalResourceId"])["Attributes"]
    assert told["DisplayName"] == export["Value"]
    assert stacks.list_imports(ExportName="news")["Imports"] == ["importer"]
    stacks.delete_stack(StackName="exporter")
    stack = settled(stacks, "exporter")
    assert stack["StackStatusReason"] == "Export news cannot be deleted as it is in use by importer"
    for name in ("importer", "exporter"):
        stacks.delete_stack(StackName=name)
        stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("Resources: {}", "At least one Resources member must be defined."),
        ("- a", "a template is a mapping"),
        ("Resources: {V: {Type: AWS::EC2::VPC}}", "template:1: Resources.V: AWS::EC2::VPC is not offered."),
        ("Resources: {T: {Type: AWS::SNS::Topic, Properties: {Nope: 1}}}", "Nope is not a property of AWS::SNS::Topic"),
        ("Parameters: {A: {Type: String}}\nResources: {T: {Type: AWS::SNS::Topic}}", "[A] must have values"),
        (
            "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Handler: a.b, Runtime: python3.11, "
            "Role: r, Code: {Local: /etc}}}}",
            "takes an address in S3",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_done(stacks: Any, template: str, words: str) -> None:
    with pytest.raises(ClientError) as problem:
        stacks.create_stack(StackName="never", TemplateBody=template)
    code, message = refusal(problem)
    assert code == "ValidationError"
    assert words in message
    with pytest.raises(ClientError, match="does not exist"):
        stacks.describe_stacks(StackName="never")


def test_the_caller_s_permissions_count(instance: Instance, stacks: Any) -> None:
    """A function makes a stack: with the rights of its role, or of a role that it may pass."""
    iam, functions = instance.client("iam"), instance.client("lambda")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "arn:aws:cloudformation:*:*:stack/mine/*"}
    builder = {"Effect": "Allow", "Action": "sns:*", "Resource": "*"}

    def role(name: str, service: str, *statements: dict[str, Any]) -> str:
        trusted = trust | {"Principal": {"Service": service}}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trusted]}))
        policy = json.dumps({"Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=policy)
        return str(made["Role"]["Arn"])

    mine = role("maker", "lambda.amazonaws.com", may)
    theirs = role("builder", "cloudformation.amazonaws.com", builder)
    template = topic("made-by-a-function")
    code = f"""
import boto3
def handler(event, context):
    stacks = boto3.client("cloudformation")
    try:
        return stacks.create_stack(StackName=event.pop("name"), TemplateBody={template!r}, **event)["StackId"]
    except stacks.exceptions.ClientError as error:
        return str(error)
"""
    source = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": "maker", "Handler": "index.handler", "Runtime": "python3.11", "Role": mine, "Timeout": 60,
        "Code": {"ZipFile": code}, "MemorySize": 256,
    }}}}  # fmt: skip
    stacks.create_stack(StackName="maker", TemplateBody=json.dumps(source))
    assert settled(stacks, "maker")["StackStatus"] == "CREATE_COMPLETE"

    def make(**event: Any) -> str:
        return str(json.loads(invoke(functions, FunctionName="maker", Payload=json.dumps(event))["Payload"]))

    assert "is not authorized to perform: cloudformation:CreateStack" in make(name="other")
    make(name="mine")
    stack = settled(stacks, "mine")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    failed = [
        one
        for one in stacks.describe_stack_events(StackName="mine")["StackEvents"]
        if "FAILED" in one["ResourceStatus"]
    ]
    assert "maker is not authorized to perform: SNS:CreateTopic".lower() in failed[0]["ResourceStatusReason"].lower()
    stacks.delete_stack(StackName="mine")
    stacks.get_waiter("stack_delete_complete").wait(StackName="mine", WaiterConfig={"Delay": 1})

    assert "is not authorized to perform: iam:PassRole" in make(name="mine", RoleARN=theirs)
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": theirs}
    iam.put_role_policy(RoleName="maker", PolicyName="pass", PolicyDocument=json.dumps({"Statement": [passing]}))
    assert make(name="mine", RoleARN=theirs).startswith("arn:")
    assert settled(stacks, "mine")["StackStatus"] == "CREATE_COMPLETE"
    for name in ("mine", "maker"):
        stacks.delete_stack(StackName=name)
        stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def test_a_kill_in_the_middle_is_gone_on_with(start: Start, tmp_path: Path) -> None:
    """Killed while a stack is made: the next start makes the rest; a template's own stack shows beside it."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "template.yaml").write_text("Resources: {T: {Type: AWS::SNS::Topic}}\n")
    many = {f"Q{n:03d}": {"Type": "AWS::SQS::Queue"} for n in range(80)}
    instance = start(own)
    stacks = instance.client("cloudformation")

    def make() -> None:
        with contextlib.suppress(BotoCoreError, ClientError):
            instance.client("cloudformation").create_stack(
                StackName="many", TemplateBody=json.dumps({"Resources": many})
            )

    def begun() -> bool:
        with contextlib.suppress(ClientError):
            return len(stacks.describe_stack_events(StackName="many")["StackEvents"]) > 6
        return False

    making = threading.Thread(target=make)
    making.start()
    eventually(begun, what="the work's begin")
    instance.kill()
    making.join(60)
    again = start(own)
    stacks = again.client("cloudformation")
    assert settled(stacks, "many")["StackStatus"] == "CREATE_COMPLETE"
    assert len(again.client("sqs").list_queues()["QueueUrls"]) == 80
    told = history(stacks, "many")
    assert told[0] == ("many", "CREATE_IN_PROGRESS")
    assert told[-1] == ("many", "CREATE_COMPLETE")
    assert [name for name, status in told if status == "CREATE_COMPLETE"] == [*many, "many"]
    assert {one["StackName"]: one["StackStatus"] for one in stacks.describe_stacks()["Stacks"]} == {
        "many": "CREATE_COMPLETE", "own": "CREATE_COMPLETE",
    }  # fmt: skip
    with pytest.raises(ClientError, match="follows the template"):
        stacks.delete_stack(StackName="own")
