"""Templates on a running instance: brought up, changed, cut down, cut off; and their roles, over the wire."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import BIN, Instance, Start, clean_environment, eventually, sweep

SHOP = """\
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Prefix: {Type: String, Default: in/}
Resources:
  Inbox:
    Type: AWS::S3::Bucket
    DependsOn: [MayCall, MayTell]
    Properties:
      BucketName: !Sub "${AWS::StackName}-inbox"
      Tags: [{Key: team, Value: shop}]
      NotificationConfiguration:
        LambdaConfigurations:
          - Event: s3:ObjectCreated:*
            Function: !GetAtt Worker.Arn
            Filter: {S3Key: {Rules: [{Name: prefix, Value: !Ref Prefix}]}}
        QueueConfigurations:
          - {Event: "s3:ObjectRemoved:*", Queue: !GetAtt Gone.Arn}
  Gone:
    Type: AWS::SQS::Queue
  MayTell:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Gone]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: [s3.amazonaws.com, sns.amazonaws.com]}
            Action: sqs:SendMessage
            Resource: !GetAtt Gone.Arn
            Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: python3.11
      Role: !GetAtt WorkerRole.Arn
      Timeout: 20
      Environment: {Variables: {QUEUE: !Ref Gone}}
      Code:
        ZipFile: |
          import os, boto3
          def handler(event, context):
              if event.get("list"):
                  return [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]]
              boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="seen")
  WorkerRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]
      Policies:
        - PolicyName: send
          PolicyDocument:
            Statement: {Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Gone.Arn}
  Look:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: [!Ref WorkerRole]
      PolicyDocument:
        Statement: {Effect: Allow, Action: s3:GetObject, Resource: "*"}
  MayCall:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Worker
      Action: lambda:InvokeFunction
      Principal: s3.amazonaws.com
      SourceAccount: !Ref AWS::AccountId
  Retries:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref Worker, Qualifier: $LATEST, MaximumRetryAttempts: 0}
  Lines:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/lambda/${Worker}", RetentionInDays: 7}
  News:
    Type: AWS::SNS::Topic
    Properties:
      Subscription: [{Protocol: sqs, Endpoint: !GetAtt Gone.Arn}]
Outputs:
  Queue: {Value: !Ref Gone}
  Function: {Value: !Ref Worker}
  Role: {Value: !Ref WorkerRole}
  Topic: {Value: !Ref News}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "template.yaml").write_text(SHOP)
    return folder


def code(problem: pytest.ExceptionInfo[ClientError]) -> str:
    return str(problem.value.response["Error"]["Code"])


def message(instance: Instance, queue: str, words: str) -> str:
    """The first message with these words; those before it (S3's test event) are thrown away."""
    sqs = instance.client("sqs")

    def received() -> Any:
        for one in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
            if words in one["Body"]:
                return one["Body"]
        return None

    return str(eventually(received, what=f"a message with {words}"))


def test_a_plain_template_works_and_is_what_the_api_shows(start: Start, shop: Path) -> None:
    instance = start(shop)
    made = instance.json("outputs")

    s3 = instance.client("s3")
    s3.put_object(Bucket="shop-inbox", Key="in/1", Body=b"x")
    assert message(instance, made["Queue"], "seen")
    assert s3.get_bucket_tagging(Bucket="shop-inbox")["TagSet"] == [{"Key": "team", "Value": "shop"}]
    retries = instance.client("lambda").get_function_event_invoke_config(FunctionName=made["Function"])
    assert retries["MaximumRetryAttempts"] == 0
    [group] = instance.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
    assert group["retentionInDays"] == 7
    iam = instance.client("iam")
    attached = iam.list_attached_role_policies(RoleName=made["Role"])["AttachedPolicies"]
    assert [one["PolicyName"].split("-")[0] for one in attached] == ["AWSLambdaBasicExecutionRole", "shop"]
    document = iam.get_role_policy(RoleName=made["Role"], PolicyName="send")["PolicyDocument"]
    assert document["Statement"]["Action"] == "sqs:SendMessage"
    instance.client("sns").publish(TopicArn=made["Topic"], Message="news")
    assert json.loads(message(instance, made["Queue"], "news"))["Message"] == "news"


def test_a_missing_permission_fails_as_on_aws_and_comes_with_the_next_apply(start: Start, shop: Path) -> None:
    instance = start(shop)
    function = instance.json("outputs")["Function"]
    asked = {"FunctionName": function, "Payload": b'{"list": true}'}
    denied = instance.client("lambda").invoke(**asked)
    assert denied["FunctionError"] == "Unhandled"
    assert "AccessDenied" in json.load(denied["Payload"])["errorMessage"]

    (shop / "template.yaml").write_text(SHOP.replace("Action: s3:GetObject", "Action: s3:ListAllMyBuckets"))
    instance.json("apply", str(shop))
    allowed = instance.client("lambda").invoke(**asked)
    assert json.load(allowed["Payload"]) == ["shop-inbox"]


def test_what_leaves_the_template_goes_and_a_full_bucket_stays(start: Start, shop: Path) -> None:
    instance = start(shop)
    made = instance.json("outputs")
    instance.client("s3").put_object(Bucket="shop-inbox", Key="kept", Body=b"x")
    (shop / "template.yaml").write_text("Resources:\n  News: {Type: AWS::SNS::Topic}\n")
    applied = instance.json("apply", str(shop))
    assert any("shop-inbox holds objects and stays" in warning for warning in applied["warnings"])
    assert instance.client("s3").get_object(Bucket="shop-inbox", Key="kept")["Body"].read() == b"x"
    with pytest.raises(ClientError) as gone:
        instance.client("lambda").get_function(FunctionName=made["Function"])
    assert code(gone) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as gone:
        instance.client("iam").get_role(RoleName=made["Role"])
    assert code(gone) == "NoSuchEntity"
    # Put back, the template finds the bucket as it was left.
    (shop / "template.yaml").write_text(SHOP)
    instance.json("apply", str(shop))
    assert instance.client("s3").get_object(Bucket="shop-inbox", Key="kept")["Body"].read() == b"x"


def test_findings_have_file_and_line_and_nothing_is_changed(start: Start, shop: Path) -> None:
    instance = start(shop)
    before = instance.json("outputs")
    text = SHOP.replace("      Timeout: 20", "      ImageConfig: {}\n      VpcConfig: {}")
    (shop / "template.yaml").write_text(text)
    said = instance.alight("apply", str(shop))
    assert said.returncode != 0
    told = " ".join((said.stdout + said.stderr).split())
    for name in ("ImageConfig", "VpcConfig"):
        line = text[: text.index(name)].count("\n") + 1
        assert f"template.yaml:{line}: Resources.Worker.Properties.{name}" in told
    assert instance.json("outputs") == before


@pytest.mark.parametrize("steps", [1, 3, 6, 9])
def test_an_apply_that_was_killed_is_finished_by_the_next_start(
    start: Start, shop: Path, tmp_path: Path, steps: int
) -> None:
    data = tmp_path / "data"
    command = [str(BIN / "alight"), "up", str(shop), "--port", "0", "--data", str(data)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        steps -= line.strip().startswith("create")
        if steps <= 0:
            break
    sweep(process)
    process.stderr.close()
    assert steps == 0

    instance = start(shop, data)
    instance.client("s3").put_object(Bucket="shop-inbox", Key="in/1", Body=b"x")
    assert message(instance, instance.json("outputs")["Queue"], "seen")
    assert instance.json("apply", str(shop))["plan"] == []


def test_roles_over_the_wire(running: Instance) -> None:
    iam = running.client("iam")
    trust = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}})
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(trust)
    assert time.time() - role["CreateDate"].timestamp() < 60
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    with pytest.raises(ClientError) as conflict:
        iam.delete_role(RoleName="r")
    assert code(conflict) == "DeleteConflict"
    with pytest.raises(ClientError) as malformed:
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument="{}")
    assert code(malformed) == "MalformedPolicyDocument"
    listed = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 7})
    names = [policy["PolicyName"] for page in listed for policy in page["Policies"]]
    assert len(names) == len(set(names)) > 20
    assert running.client("sts").get_caller_identity()["Account"] == "000000000000"
    with pytest.raises(ClientError) as refused:
        iam.create_service_linked_role(AWSServiceName="lambda.amazonaws.com")
    assert code(refused) == "NotImplemented"
