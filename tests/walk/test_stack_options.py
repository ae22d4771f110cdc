"""What else can be asked of stacks: options, looking, going back by hand; and a template like the bird lab's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, start_alight, sweep
from tests.walk.test_formation import history, refusal, settled, topic

#: Conditions twice, of which the last counts; the first names a parameter that there is not.
LAB = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: a pod of the workshop
Parameters:
  UserSuffix: {Type: String, AllowedPattern: "[0-9]{2}-[0-9]{2}", ConstraintDescription: like 01-01}
  Cells: {Type: CommaDelimitedList, Default: "a, b"}
Conditions:
  IsProd: !Equals [!Ref EnvType, prod]
Conditions:
  Always: !Not [!Equals [!Ref UserSuffix, ""]]
  Never: !And [!Condition Always, !Equals [!Ref "AWS::Region", nowhere]]
Resources:
  LabRole:
    Type: AWS::IAM::Role
    Condition: Always
    Properties:
      RoleName: !Sub "lab-${UserSuffix}"
      Path: /service-role/
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: [lambda.amazonaws.com]}, Action: ["sts:AssumeRole"]}]
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"]
      Policies: !If
        - Never
        - [{PolicyName: never, PolicyDocument: {Statement: []}}]
        - !Ref AWS::NoValue
  Emptier:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: python3.11
      Timeout: 60
      MemorySize: 256
      Role: !GetAtt LabRole.Arn
      Code:
        ZipFile: !Sub |
          import cfnresponse
          def handler(event, context):
              print("${AWS::StackName}", "${!literally}")
              data = {"Secret": event["ResourceProperties"]["Cells"][1]}
              cfnresponse.send(event, context, cfnresponse.SUCCESS, data, "emptier")
  Clean:
    Type: Custom::Clean
    Properties:
      ServiceToken: !GetAtt Emptier.Arn
      Cells: !Ref Cells
  Nothing: {Type: AWS::SNS::Topic, Condition: Never}
Outputs:
  Coded: {Value: !Base64 {"Fn::Join": ["", [!GetAtt Clean.Secret, !Select [0, !Cidr [10.0.0.0/16, 2, 8]]]]}}
  Missing: {Condition: Never, Value: !Ref Nothing}
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("options") / "data")
    yield started
    sweep(started.process)


@pytest.fixture
def stacks(instance: Instance) -> Any:
    return instance.client("cloudformation")


def gone(stacks: Any, *names: str) -> None:
    for name in names:
        stacks.delete_stack(StackName=name)
        stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def test_a_template_like_the_lab_s(instance: Instance, stacks: Any) -> None:
    def make(suffix: str, template: str = LAB) -> None:
        stacks.create_stack(
            StackName="pod", TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": "UserSuffix", "ParameterValue": suffix}],
        )  # fmt: skip

    with pytest.raises(ClientError, match=r"'1' does not match .* \(like 01-01\)"):
        make("1")
    with pytest.raises(ClientError, match="Unresolved condition dependency Unknown: there is no condition Unknown"):
        make("01-01", LAB.replace("Condition: Always", "Condition: Unknown"))
    notebook = LAB + "  Box: {Value: x}\n"
    notebook = notebook.replace("  Nothing:", "  Notebook: {Type: AWS::SageMaker::NotebookInstance}\n  Nothing:")
    with pytest.raises(ClientError, match=r"template:46: Resources\.Notebook: AWS::SageMaker::NotebookInstance: th"):
        make("01-01", notebook)
    with pytest.raises(ClientError, match="CAPABILITY_NAMED_IAM"):
        stacks.create_stack(
            StackName="pod", TemplateBody=LAB, Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": "UserSuffix", "ParameterValue": "01-01"}],
        )  # fmt: skip
    make("01-01")
    stack = settled(stacks, "pod")
    assert stack["StackStatus"] == "CREATE_COMPLETE", history(stacks, "pod")
    assert {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]} == {"Coded": "YjEwLjAuMC4wLzI0"}
    role = instance.client("iam").get_role(RoleName="lab-01-01")["Role"]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/service-role/lab-01-01"
    gone(stacks, "pod")
    with pytest.raises(ClientError, match="cannot be found"):
        instance.client("iam").get_role(RoleName="lab-01-01")


def test_looking_without_making(stacks: Any) -> None:
    told = stacks.validate_template(TemplateBody=LAB)
    assert told["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert [one["ParameterKey"] for one in told["Parameters"]] == ["UserSuffix", "Cells"]
    summary = stacks.get_template_summary(TemplateBody=LAB)
    assert "Custom::Clean" in summary["ResourceTypes"]
    assert summary["Parameters"][1]["DefaultValue"] == "a, b"
    with pytest.raises(ClientError) as problem:
        stacks.validate_template(TemplateBody="Resources: [")
    assert refusal(problem)[0] == "ValidationError"
    with pytest.raises(ClientError, match="not a valid S3 domain"):
        stacks.validate_template(TemplateURL="https://example.com/t.yaml")
    with pytest.raises(ClientError, match="S3 error: "):
        stacks.validate_template(TemplateURL="https://s3.amazonaws.com/nobody/t.yaml")


def test_going_back_by_hand(instance: Instance, stacks: Any) -> None:
    sqs = instance.client("sqs")
    sqs.create_queue(QueueName="taken")
    bad = {
        "T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "mine", "DisplayName": "new"}},
        "Q": {"Type": "AWS::SQS::Queue", "DependsOn": "T", "Properties": {"QueueName": "taken"}},
    }
    worse = json.dumps({"Resources": bad})
    stacks.create_stack(StackName="hand", TemplateBody=worse, DisableRollback=True)
    assert settled(stacks, "hand")["StackStatus"] == "CREATE_FAILED"
    stacks.rollback_stack(StackName="hand")
    assert settled(stacks, "hand")["StackStatus"] == "ROLLBACK_COMPLETE"
    gone(stacks, "hand")

    made = stacks.create_stack(StackName="brief", TemplateBody=worse, OnFailure="DELETE")
    with pytest.raises(ClientError, match="does not exist"):
        settled(stacks, "brief")
    assert stacks.describe_stacks(StackName=made["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert made["StackId"] in [
        one["StackId"] for one in stacks.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    ]

    stacks.create_stack(StackName="hand", TemplateBody=topic("mine", DisplayName="old"))
    settled(stacks, "hand")
    stacks.update_stack(StackName="hand", TemplateBody=worse, DisableRollback=True)
    assert settled(stacks, "hand")["StackStatus"] == "UPDATE_FAILED"
    arn = "arn:aws:sns:us-east-1:000000000000:mine"
    shown = instance.client("sns").get_topic_attributes
    assert shown(TopicArn=arn)["Attributes"]["DisplayName"] == "new"
    stacks.rollback_stack(StackName="hand")
    assert settled(stacks, "hand")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert shown(TopicArn=arn)["Attributes"]["DisplayName"] == "old"
    detail = stacks.describe_stack_resource(StackName="hand", LogicalResourceId="T")["StackResourceDetail"]
    assert (detail["PhysicalResourceId"], detail["ResourceStatus"]) == (arn, "UPDATE_COMPLETE")
    [row] = stacks.list_stack_resources(StackName="hand")["StackResourceSummaries"]
    assert row["LogicalResourceId"] == "T"
    with pytest.raises(ClientError, match="CancelUpdateStack cannot be called from current stack status"):
        stacks.cancel_update_stack(StackName="hand")
    gone(stacks, "hand")


def test_change_sets(instance: Instance, stacks: Any) -> None:
    def change(name: str, template: str, kind: str = "UPDATE") -> dict[str, Any]:
        stacks.create_change_set(StackName="cs", ChangeSetName=name, ChangeSetType=kind, TemplateBody=template)
        found: dict[str, Any] = stacks.describe_change_set(StackName="cs", ChangeSetName=name)
        return found

    with pytest.raises(ClientError, match="Stack \\[cs\\] does not exist"):
        change("first", topic("one"))
    first = change("first", topic("one"), "CREATE")
    assert (first["Status"], first["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert stacks.describe_stacks(StackName="cs")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert instance.client("sns").list_topics()["Topics"] == []
    stacks.execute_change_set(StackName="cs", ChangeSetName="first")
    assert settled(stacks, "cs")["StackStatus"] == "CREATE_COMPLETE"
    again = change("second", topic("one"))
    assert (again["Status"], again["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in again["StatusReason"]
    with pytest.raises(ClientError) as problem:
        stacks.execute_change_set(StackName="cs", ChangeSetName="second")
    assert refusal(problem)[0] == "InvalidChangeSetStatus"
    [changed] = change("third", topic("two"))["Changes"]
    assert (changed["ResourceChange"]["Action"], changed["ResourceChange"]["Replacement"]) == ("Modify", "True")
    stacks.delete_change_set(StackName="cs", ChangeSetName="second")
    with pytest.raises(ClientError) as problem:
        stacks.describe_change_set(StackName="cs", ChangeSetName="second")
    assert refusal(problem) == ("ChangeSetNotFound", "ChangeSet [second] does not exist")
    names = [one["ChangeSetName"] for one in stacks.list_change_sets(StackName="cs")["Summaries"]]
    assert names == ["first", "third"]
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        change("fourth", topic("one"), "CREATE")
    gone(stacks, "cs")


def test_a_user_s_stack_has_the_user_s_rights(instance: Instance, stacks: Any) -> None:
    iam = instance.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    may = [
        {"Effect": "Allow", "Action": ["cloudformation:*", "sqs:*"], "Resource": "*"},
        {"Effect": "Deny", "Action": "sqs:CreateQueue", "Resource": "arn:aws:sqs:*:*:secret"},
    ]
    iam.put_user_policy(UserName="ann", PolicyName="may", PolicyDocument=json.dumps({"Statement": may}))
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    ann = Instance(instance.process, instance.url, instance.data, instance.stderr, {**instance.variables, **keys})
    mine = ann.client("cloudformation")
    for name, status in (("open", "CREATE_COMPLETE"), ("secret", "ROLLBACK_COMPLETE")):
        template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}}}
        mine.create_stack(StackName=name, TemplateBody=json.dumps(template))
        assert settled(mine, name)["StackStatus"] == status
    gone(mine, "open", "secret")
