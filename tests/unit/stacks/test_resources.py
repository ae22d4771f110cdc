"""What each resource type asks of the services: at creation, at a change, at its end."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Members
from alight.errors.sagemaker import ValidationException
from alight.services import sns, sqs
from alight.services.cloudwatch.service import TABLE as CLOUDWATCH
from alight.services.iam.service import TABLE as IAM
from alight.services.lambda_.service import TABLE as LAMBDA
from alight.services.logs.service import TABLE as LOGS
from alight.services.members import Table
from alight.services.s3.tables import TABLE as S3
from alight.services.sagemaker.tables import CONTROL as SAGEMAKER
from alight.stacks.apply import ApplyFailed, apply
from tests.unit.stacks.scene import Scene, step

ACCOUNT = "000000000000"
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "sts:AssumeRole"}]}
POLICY = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def template(**resources: Members) -> str:
    return json.dumps({"Resources": resources})


def one(type_name: str, **properties: Any) -> str:
    return template(One={"Type": type_name, "Properties": properties})


async def created(scene: Scene, type_name: str, **properties: Any) -> tuple[str, list[tuple[str, Members]]]:
    applied = await scene.apply(one(type_name, **properties))
    return step(applied.plan, "One").name, list(scene.services.asked)


# S3 ------------------------------------------------------------------------------------------------------------------


async def test_a_bucket_with_rules_and_tags(scene: Scene) -> None:
    rule = {
        "Event": "s3:ObjectCreated:Put",
        "Queue": "arn:q",
        "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "a/"}]}},
    }
    name, asked = await created(
        scene,
        "AWS::S3::Bucket",
        Tags=[{"Key": "team", "Value": 7}, {"Key": "sam:ConditionalDependsOn:X", "Value": "y"}],
        NotificationConfiguration={
            "QueueConfigurations": [rule],
            "TopicConfigurations": [{"Event": "s3:ObjectRemoved:*", "Topic": "arn:t"}],
        },
    )
    assert name.startswith("shop-one-")
    assert asked == [
        ("CreateBucket", {"Bucket": name}),
        ("PutBucketTagging", {"Bucket": name, "Tagging": {"TagSet": [{"Key": "team", "Value": "7"}]}}),
        (
            "PutBucketNotificationConfiguration",
            {
                "Bucket": name,
                "NotificationConfiguration": {
                    "TopicConfigurations": [{"TopicArn": "arn:t", "Events": ["s3:ObjectRemoved:*"]}],
                    "QueueConfigurations": [
                        {
                            "QueueArn": "arn:q",
                            "Events": ["s3:ObjectCreated:Put"],
                            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a/"}]}},
                        }
                    ],
                },
            },
        ),
    ]
    _, asked = await created(scene, "AWS::S3::Bucket")
    assert asked == [
        ("DeleteBucketTagging", {"Bucket": name}),
        ("PutBucketNotificationConfiguration", {"Bucket": name, "NotificationConfiguration": {}}),
    ]


async def test_names_are_readable_stable_and_short_enough(scene: Scene) -> None:
    long = "VeryLongLogicalIdOfABucketThatHoldsManyManyPicturesOfManyManyBirds"
    resources = {long: {"Type": "AWS::S3::Bucket"}, "B": {"Type": "AWS::S3::Bucket"}}
    first = await scene.apply(template(**resources))
    names = [one.name for one in first.plan.steps]
    assert max(map(len, names)) == 63
    assert names[0].startswith("shop-verylonglogicalid")
    assert [one.name for one in (await scene.apply(template(**resources))).plan.steps] == names


# Lambda --------------------------------------------------------------------------------------------------------------

FUNCTION = {"Handler": "app.handler", "Runtime": "python3.11", "Role": "arn:role", "Code": {"Local": "src"}}


@pytest.fixture
def source(scene: Scene) -> Path:
    folder = scene.folder / "src"
    folder.mkdir()
    (folder / "app.py").write_text("one")
    return folder


async def test_a_function(scene: Scene, source: Path) -> None:
    full = FUNCTION | {
        "Timeout": "7",
        "MemorySize": 256,
        "Description": "works",
        "Environment": {"Variables": {"N": 1, "B": True, "S": "text"}},
        "ReservedConcurrentExecutions": "2",
        "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": "1024"},
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    name, asked = await created(scene, "AWS::Lambda::Function", **full)
    assert asked == [
        (
            "CreateFunction",
            {
                "FunctionName": name,
                "Handler": "app.handler",
                "Runtime": "python3.11",
                "Role": "arn:role",
                "Description": "works",
                "Timeout": 7,
                "MemorySize": 256,
                "EphemeralStorage": {"Size": 1024},
                "Environment": {"Variables": {"N": "1", "B": "true", "S": "text"}},
                "Architectures": ["arm64"],
                "Tags": {"a": "b"},
                "Code": {"Local": str(source)},
                "AlightPublish": "staged",
            },
        ),
        ("PutFunctionConcurrency", {"FunctionName": name, "ReservedConcurrentExecutions": 2}),
    ]
    _, asked = await created(scene, "AWS::Lambda::Function", **FUNCTION)
    assert asked[0] == (
        "UpdateFunctionConfiguration",
        {
            "FunctionName": name,
            "Handler": "app.handler",
            "Runtime": "python3.11",
            "Role": "arn:role",
            "Timeout": 3,
            "MemorySize": 128,
            "Description": "",
            "Environment": {"Variables": {}},
            "AlightPublish": "staged",
        },
    )
    assert asked[1:] == [
        ("UpdateFunctionCode", {"FunctionName": name, "Local": str(source)}),
        ("DeleteFunctionConcurrency", {"FunctionName": name}),
        ("UntagResource", {"Resource": f"arn:aws:lambda:us-east-1:000000000000:function:{name}", "TagKeys": ["a"]}),
    ]


async def test_changed_code_is_a_change(scene: Scene, source: Path) -> None:
    await created(scene, "AWS::Lambda::Function", **FUNCTION)
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "app.pyc").write_text("left behind by a run")
    assert (await scene.apply(one("AWS::Lambda::Function", **FUNCTION))).plan.changes == ()
    (source / "app.py").write_text("two")
    applied = await scene.apply(one("AWS::Lambda::Function", **FUNCTION))
    assert step(applied.plan, "One").reason == "Code: other content"
    assert "UpdateFunctionCode" in scene.services.operations()


async def test_metadata_says_when_publishes_leave(scene: Scene, source: Path) -> None:
    text = {"Type": "AWS::Lambda::Function", "Properties": FUNCTION, "Metadata": {"Alight": {"Publish": "immediate"}}}
    await scene.apply(template(One=text))
    assert scene.services.given("CreateFunction")["AlightPublish"] == "immediate"
    await scene.apply(one("AWS::Lambda::Function", **FUNCTION))
    assert scene.services.given("UpdateFunctionConfiguration")["AlightPublish"] == "staged"


async def test_inline_code_is_the_module_index(scene: Scene) -> None:
    await created(scene, "AWS::Lambda::Function", **(FUNCTION | {"Code": {"ZipFile": "print('hi')"}}))
    archive = scene.services.given("CreateFunction")["Code"]["ZipFile"]
    with zipfile.ZipFile(io.BytesIO(archive)) as reader:
        assert {name: reader.read(name) for name in reader.namelist()} == {"index.py": b"print('hi')"}


async def test_code_in_a_bucket(scene: Scene) -> None:
    code = {"S3Bucket": "b", "S3Key": "k.zip"}
    await created(scene, "AWS::Lambda::Function", **(FUNCTION | {"Code": code}))
    assert scene.services.given("CreateFunction")["Code"] == code


async def test_code_that_is_not_there_is_said(scene: Scene) -> None:
    with pytest.raises(ApplyFailed, match=r"There is no code at .*/shop/src"):
        await created(scene, "AWS::Lambda::Function", **FUNCTION)


async def test_a_permission_that_changes_is_another_statement(scene: Scene) -> None:
    asked = {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    first, calls = await created(scene, "AWS::Lambda::Permission", **asked)
    assert calls == [("AddPermission", {"StatementId": first, **asked})]
    second, calls = await created(scene, "AWS::Lambda::Permission", **(asked | {"SourceArn": "arn:b"}))
    assert second != first
    assert calls == [
        ("AddPermission", {"StatementId": second, "SourceArn": "arn:b", **asked}),
        ("RemovePermission", {"FunctionName": "f", "StatementId": first}),
    ]


async def test_how_events_are_retried(scene: Scene) -> None:
    given = {"FunctionName": "f", "Qualifier": "$LATEST", "MaximumRetryAttempts": "1"}
    _, asked = await created(scene, "AWS::Lambda::EventInvokeConfig", **given)
    names = {"FunctionName": "f", "Qualifier": "$LATEST"}
    assert asked == [("PutFunctionEventInvokeConfig", names | {"MaximumRetryAttempts": 1})]
    await scene.apply(one("AWS::SNS::Topic"))
    assert ("DeleteFunctionEventInvokeConfig", names) in scene.services.asked


async def test_a_queue_feeds_a_function(scene: Scene) -> None:
    given = {"FunctionName": "f", "EventSourceArn": "arn:q", "BatchSize": "5", "Enabled": "false"}
    await created(scene, "AWS::Lambda::EventSourceMapping", **given)
    assert scene.services.given("CreateEventSourceMapping") == {
        "FunctionName": "f",
        "EventSourceArn": "arn:q",
        "BatchSize": 5,
        "Enabled": False,
    }
    await created(scene, "AWS::Lambda::EventSourceMapping", **(given | {"BatchSize": 6}))
    uuid = "11111111-2222-3333-4444-555555555555"
    assert scene.services.given("UpdateEventSourceMapping")["UUID"] == uuid
    await scene.apply(one("AWS::SNS::Topic"))
    assert scene.services.given("DeleteEventSourceMapping") == {"UUID": uuid}


async def test_versions_and_aliases(scene: Scene) -> None:
    resources: dict[str, Members] = {
        "V": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": "f"}},
        "A": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {"FunctionName": "f", "Name": "live", "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]}},
        },
    }
    planned = await scene.plan(template(**resources))
    assert step(planned, "A").action == "create"
    await scene.apply(template(**resources))
    plain = {"Description": "", "RoutingConfig": {"AdditionalVersionWeights": {}}}
    live = {"FunctionName": "f", "FunctionVersion": "7", "Name": "live"}
    assert scene.services.asked == [("PublishVersion", {"FunctionName": "f"}), ("CreateAlias", live | plain)]
    assert (await scene.apply(template(**resources))).plan.changes == ()
    weights = [{"FunctionVersion": "6", "FunctionWeight": "0.25"}]
    resources["A"]["Properties"]["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    await scene.apply(template(**resources))
    assert scene.services.given("UpdateAlias")["RoutingConfig"] == {"AdditionalVersionWeights": {"6": 0.25}}
    del resources["A"]["Properties"]["RoutingConfig"]
    await scene.apply(template(**resources))
    assert scene.services.given("UpdateAlias") == live | plain


async def test_a_version_is_another_one_or_stays_as_it_is(scene: Scene) -> None:
    properties: Members = {"FunctionName": "f"}
    resources: dict[str, Members] = {
        "V": {"Type": "AWS::Lambda::Version", "Properties": properties},
        "A": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {"FunctionName": "f", "Name": "live", "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]}},
        },
    }
    await scene.apply(template(**resources))
    properties["Description"] = "other"
    with pytest.raises(ApplyFailed, match=r"A version for this Lambda function exists \( 7 \)"):
        await scene.apply(template(**resources))
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f:8"
    scene.services.answers["PublishVersion"] = {"Version": "8", "FunctionArn": arn}
    scene.services.asked.clear()
    await scene.apply(template(**resources))
    assert scene.services.given("UpdateAlias")["FunctionVersion"] == "8"
    assert scene.services.asked[-1] == ("DeleteFunction", {"FunctionName": "f", "Qualifier": "7"})


# IAM -----------------------------------------------------------------------------------------------------------------


async def test_a_role_and_its_policies(scene: Scene) -> None:
    given = {
        "AssumeRolePolicyDocument": TRUST,
        "Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}],
        "ManagedPolicyArns": ["arn:m"],
    }
    name, asked = await created(scene, "AWS::IAM::Role", **given)
    assert asked == [
        ("CreateRole", {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(TRUST)}),
        ("PutRolePolicy", {"RoleName": name, "PolicyName": "p", "PolicyDocument": json.dumps(POLICY)}),
        ("AttachRolePolicy", {"RoleName": name, "PolicyArn": "arn:m"}),
    ]
    changed = {"AssumeRolePolicyDocument": {**TRUST, "Version": "2012-10-17"}, "Description": "new"}
    _, asked = await created(scene, "AWS::IAM::Role", **changed)
    assert [operation for operation, _ in asked] == [
        "UpdateAssumeRolePolicy",
        "UpdateRole",
        "DeleteRolePolicy",
        "DetachRolePolicy",
    ]


async def test_a_policy_on_roles(scene: Scene) -> None:
    policy = {"PolicyName": "p", "PolicyDocument": POLICY, "Roles": ["a", "b"]}
    _, asked = await created(scene, "AWS::IAM::Policy", **policy)
    assert [(operation, given["RoleName"]) for operation, given in asked] == [
        ("PutRolePolicy", "a"),
        ("PutRolePolicy", "b"),
    ]
    _, asked = await created(scene, "AWS::IAM::Policy", **(policy | {"Roles": ["b"]}))
    assert [(operation, given["RoleName"]) for operation, given in asked] == [
        ("PutRolePolicy", "b"),
        ("DeleteRolePolicy", "a"),
    ]


async def test_users_and_groups(scene: Scene) -> None:
    given = {
        "Groups": ["g"],
        "LoginProfile": {"Password": "secret"},
        "ManagedPolicyArns": ["arn:m"],
        "Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}],
    }
    name, asked = await created(scene, "AWS::IAM::User", **given)
    assert [operation for operation, _ in asked] == [
        "CreateUser", "CreateLoginProfile", "AddUserToGroup", "PutUserPolicy", "AttachUserPolicy",
    ]  # fmt: skip
    assert scene.services.given("AddUserToGroup") == {"UserName": name, "GroupName": "g"}
    _, asked = await created(scene, "AWS::IAM::User", LoginProfile={"Password": "other"})
    assert [operation for operation, _ in asked] == [
        "UpdateLoginProfile", "RemoveUserFromGroup", "DeleteUserPolicy", "DetachUserPolicy",
    ]  # fmt: skip


async def test_a_group_and_who_is_in_it(scene: Scene) -> None:
    name, asked = await created(scene, "AWS::IAM::Group", ManagedPolicyArns=["arn:m"])
    assert asked == [
        ("CreateGroup", {"GroupName": name}),
        ("AttachGroupPolicy", {"GroupName": name, "PolicyArn": "arn:m"}),
    ]
    _, asked = await created(scene, "AWS::IAM::UserToGroupAddition", GroupName="g", Users=["a", "b"])
    assert [given["UserName"] for operation, given in asked if operation == "AddUserToGroup"] == ["a", "b"]
    _, asked = await created(scene, "AWS::IAM::UserToGroupAddition", GroupName="g", Users=["b"])
    assert ("RemoveUserFromGroup", {"GroupName": "g", "UserName": "a"}) in asked


async def test_a_managed_policy_gets_versions(scene: Scene) -> None:
    given = {"PolicyDocument": POLICY, "Roles": ["a"]}
    name, asked = await created(scene, "AWS::IAM::ManagedPolicy", **given)
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    assert [operation for operation, _ in asked] == ["CreatePolicy", "AttachRolePolicy"]
    full = [{"VersionId": f"v{n}", "IsDefaultVersion": n == 5} for n in range(5, 0, -1)]
    scene.services.answers["ListPolicyVersions"] = {"Versions": full}
    other = {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
    _, asked = await created(scene, "AWS::IAM::ManagedPolicy", **(given | {"PolicyDocument": other}))
    assert ("DeletePolicyVersion", {"PolicyArn": arn, "VersionId": "v1"}) in asked
    assert scene.services.given("CreatePolicyVersion")["PolicyDocument"] == json.dumps(other)


async def test_a_bucket_keeps_versions_for_as_long_as_its_template_says_so(scene: Scene) -> None:
    name, asked = await created(scene, "AWS::S3::Bucket", VersioningConfiguration={"Status": "Enabled"})
    versions = {"Bucket": name, "VersioningConfiguration": {"Status": "Enabled"}}
    assert ("PutBucketVersioning", versions) in asked
    await scene.apply(one("AWS::S3::Bucket"))
    assert scene.services.given("PutBucketVersioning")["VersioningConfiguration"] == {"Status": "Suspended"}


# SNS, SQS, Logs ------------------------------------------------------------------------------------------------------


async def test_a_topics_own_subscriptions(scene: Scene) -> None:
    def topic(*endpoints: str) -> dict[str, Any]:
        return {"Subscription": [{"Protocol": "sms", "Endpoint": endpoint} for endpoint in endpoints]}

    name, asked = await created(scene, "AWS::SNS::Topic", **topic("+1", "+2"))
    arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    assert [given.get("Endpoint") for _, given in asked] == [None, "+1", "+2"]
    _, asked = await created(scene, "AWS::SNS::Topic", **topic("+2", "+3"))
    assert asked[0] == ("Unsubscribe", {"SubscriptionArn": f"{arn}:+1"})
    assert [given.get("Endpoint") for _, given in asked[1:]] == ["+3"]


async def test_a_subscriptions_filter_changes_in_place(scene: Scene) -> None:
    given = {"TopicArn": "arn:t", "Protocol": "sms", "Endpoint": "+1", "FilterPolicy": {"a": ["b"]}}
    await created(scene, "AWS::SNS::Subscription", **given)
    assert scene.services.given("Subscribe")["Attributes"] == {"FilterPolicy": '{"a":["b"]}'}
    changed = {name: value for name, value in given.items() if name != "FilterPolicy"} | {"RawMessageDelivery": True}
    await created(scene, "AWS::SNS::Subscription", **changed)
    assert [
        (one["AttributeName"], one["AttributeValue"]) for one in scene.services.all_given("SetSubscriptionAttributes")
    ] == [
        ("FilterPolicy", "{}"),
        ("RawMessageDelivery", "true"),
    ]
    assert scene.services.given("SetSubscriptionAttributes")["SubscriptionArn"] == "arn:t:+1"
    await created(scene, "AWS::SNS::Subscription", **(changed | {"Endpoint": "+2"}))
    assert scene.services.operations() == ["Subscribe", "Unsubscribe"]


async def test_a_queue_with_a_dead_letter_queue(scene: Scene) -> None:
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    resources: dict[str, Members] = {
        "Live": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": redrive}},
        "Dead": {"Type": "AWS::SQS::Queue"},
    }
    applied = await scene.apply(template(**resources))
    dead = step(applied.plan, "Dead").name
    assert scene.services.operations() == ["CreateQueue", "CreateQueue"]
    policy = json.loads(scene.services.given("CreateQueue")["Attributes"]["RedrivePolicy"])
    assert policy == {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{dead}", "maxReceiveCount": 3}


async def test_policies_of_topics_and_queues_are_set_and_taken_back(scene: Scene) -> None:
    resources: dict[str, Members] = {
        "T": {"Type": "AWS::SNS::TopicPolicy", "Properties": {"PolicyDocument": POLICY, "Topics": ["arn:t"]}},
        "Q": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"PolicyDocument": POLICY, "Queues": ["http://q"]}},
    }
    await scene.apply(template(**resources))
    assert scene.services.given("SetTopicAttributes")["AttributeValue"] == json.dumps(POLICY)
    assert scene.services.given("SetQueueAttributes")["Attributes"] == {"Policy": json.dumps(POLICY)}
    await scene.apply(one("AWS::SNS::Topic"))
    assert scene.services.given("SetTopicAttributes")["AttributeValue"] == ""
    assert scene.services.given("SetQueueAttributes")["Attributes"] == {"Policy": ""}


async def test_a_log_group_with_and_without_retention(scene: Scene) -> None:
    name, asked = await created(scene, "AWS::Logs::LogGroup", RetentionInDays="7")
    assert asked[1] == ("PutRetentionPolicy", {"logGroupName": name, "retentionInDays": 7})
    _, asked = await created(scene, "AWS::Logs::LogGroup")
    assert asked == [("DeleteRetentionPolicy", {"logGroupName": name})]


# SageMaker -----------------------------------------------------------------------------------------------------------


def serving(**model: Any) -> str:
    container = {"Image": "image", "ModelDataUrl": "model.tar.gz"}
    variant = {
        "VariantName": "All",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InitialInstanceCount": "2",
        "InitialVariantWeight": "1",
        "InstanceType": "ml.m5.large",
    }
    return template(
        Model={"Type": "AWS::SageMaker::Model", "Properties": {"PrimaryContainer": container} | model},
        Config={"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
        End={
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {"EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}},
        },
    )


@pytest.fixture
def archive(scene: Scene) -> Path:
    path = scene.folder / "model.tar.gz"
    path.write_bytes(b"one")
    return path


async def test_an_endpoint_is_awaited_at_the_end(scene: Scene, archive: Path) -> None:
    applied = await scene.apply(serving())
    names = {one.logical_id: one.name for one in applied.plan.steps}
    variant = {
        "VariantName": "All",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 1.0,
        "InstanceType": "ml.m5.large",
    }
    assert scene.services.asked == [
        (
            "CreateModel",
            {"ModelName": names["Model"], "PrimaryContainer": {"Image": "image", "ModelDataUrl": archive.as_uri()}},
        ),
        (
            "CreateEndpointConfig",
            {
                "EndpointConfigName": names["Config"],
                "ProductionVariants": [variant | {"ModelName": names["Model"]}],
            },
        ),
        ("CreateEndpoint", {"EndpointName": names["End"], "EndpointConfigName": names["Config"]}),
        ("DescribeEndpoint", {"EndpointName": names["End"]}),
    ]


async def test_another_model_moves_the_endpoint_over_without_a_gap(scene: Scene, archive: Path) -> None:
    first = {one.logical_id: one.name for one in (await scene.apply(serving())).plan.steps}
    archive.write_bytes(b"two")
    applied = await scene.apply(serving())
    second = {one.logical_id: one.name for one in applied.plan.steps}
    assert second["End"] == first["End"]
    assert [(one.logical_id, one.action) for one in applied.plan.steps] == [
        ("Model", "replace"),
        ("Config", "replace"),
        ("End", "update"),
    ]
    assert [(operation, *given.values()) for operation, given in scene.services.asked[2:]] == [
        ("DescribeEndpoint", first["End"]),
        ("UpdateEndpoint", first["End"], second["Config"]),
        ("DescribeEndpoint", first["End"]),
        ("DeleteEndpointConfig", first["Config"]),
        ("DeleteModel", first["Model"]),
    ]


async def test_a_model_with_a_name_of_its_own_is_made_anew_under_it(scene: Scene, archive: Path) -> None:
    await scene.apply(serving(ModelName="birds"))
    archive.write_bytes(b"two")
    applied = await scene.apply(serving(ModelName="birds"))
    assert step(applied.plan, "Config").reason == "Model is made anew"
    assert scene.services.operations()[:3] == ["DeleteModel", "CreateModel", "CreateEndpointConfig"]


async def test_an_endpoint_that_fails_says_why_and_is_tried_anew(scene: Scene, archive: Path) -> None:
    scene.services.answers["DescribeEndpoint"] = {"EndpointStatus": "Failed", "FailureReason": "no such label file"}
    with pytest.raises(ApplyFailed, match="does not come into service: no such label file"):
        await scene.apply(serving())
    del scene.services.answers["DescribeEndpoint"]
    await scene.apply(serving())
    assert scene.services.operations() == ["DeleteEndpoint", "DescribeEndpoint", "CreateEndpoint", "DescribeEndpoint"]


async def test_a_model_that_is_not_there_is_said(scene: Scene) -> None:
    with pytest.raises(ApplyFailed, match=r"There is no model at .*model\.tar\.gz"):
        await scene.apply(serving())


async def test_what_is_gone_already_is_as_it_should_be(scene: Scene, archive: Path) -> None:
    await scene.apply(serving())
    gone = ValidationException("Could not find endpoint")
    scene.services.answers |= dict.fromkeys(("DeleteEndpoint", "DeleteModel", "DeleteEndpointConfig"), gone)
    await scene.apply(one("AWS::SNS::Topic"))
    assert (await scene.apply(one("AWS::SNS::Topic"))).plan.changes == ()


# Watching ------------------------------------------------------------------------------------------------------------

ALARM = {
    "Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": "60", "EvaluationPeriods": 1, "Threshold": "5",
    "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": ["arn:t"],
}  # fmt: skip


async def test_an_alarm_is_put_again_where_it_changes_and_goes_with_its_resource(scene: Scene) -> None:
    name, asked = await created(scene, "AWS::CloudWatch::Alarm", **ALARM, Tags=[{"Key": "a", "Value": "b"}])
    [(operation, given)] = asked
    assert (operation, given["AlarmName"], given["Period"], given["Threshold"]) == ("PutMetricAlarm", name, 60, 5)
    await scene.apply(one("AWS::CloudWatch::Alarm", **ALARM | {"Threshold": 7}))
    assert scene.services.given("PutMetricAlarm")["Threshold"] == 7
    arn = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{name}"
    assert scene.services.given("UntagResource") == {"ResourceARN": arn, "TagKeys": ["a"]}
    await scene.apply(template(Other={"Type": "AWS::SNS::Topic"}))
    assert scene.services.given("DeleteAlarms") == {"AlarmNames": [name]}


async def test_a_log_group_gets_other_tags(scene: Scene) -> None:
    name, _ = await created(scene, "AWS::Logs::LogGroup", Tags=[{"Key": "a", "Value": "b"}])
    await scene.apply(one("AWS::Logs::LogGroup", Tags=[{"Key": "c", "Value": "d"}]))
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"
    assert scene.services.given("UntagResource") == {"resourceArn": arn, "tagKeys": ["a"]}
    assert scene.services.given("TagResource") == {"resourceArn": arn, "tags": {"c": "d"}}


# All -----------------------------------------------------------------------------------------------------------------

_TABLES: Mapping[str, Table] = {
    "s3": S3,
    "lambda": LAMBDA,
    "iam": IAM,
    "sagemaker": SAGEMAKER,
    "sns": sns.TABLE,
    "sqs": sqs.TABLE,
    "logs": LOGS,
    "cloudwatch": CLOUDWATCH,
}


async def test_the_services_know_every_member_that_is_given(scene: Scene, source: Path, archive: Path) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    everything = json.loads(serving(Tags=tags, ExecutionRoleArn="arn:r"))["Resources"] | {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": FUNCTION | {"Tags": tags, "TracingConfig": {"Mode": "Active"}, "Architectures": ["x86_64"]},
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": "f",
                "Action": "a",
                "Principal": "p",
                "SourceArn": "s",
                "SourceAccount": "1",
            },
        },
        "Retries": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {"FunctionName": "f", "Qualifier": "$LATEST", "MaximumRetryAttempts": 0},
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": TRUST, "Path": "/", "Description": "d", "Tags": tags},
        },
        "Managed": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": POLICY, "Roles": ["r"], "Users": ["u"], "Groups": ["g"], "Tags": tags},
        },
        "User": {
            "Type": "AWS::IAM::User",
            "Properties": {
                "Path": "/",
                "Groups": ["g"],
                "ManagedPolicyArns": ["arn:m"],
                "Tags": tags,
                "LoginProfile": {"Password": "secret", "PasswordResetRequired": True},
                "Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}],
            },
        },
        "Group": {"Type": "AWS::IAM::Group", "Properties": {"Path": "/", "ManagedPolicyArns": ["arn:m"]}},
        "Members": {"Type": "AWS::IAM::UserToGroupAddition", "Properties": {"GroupName": "g", "Users": ["u"]}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "d", "Tags": tags}},
        "Feed": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": "t", "Protocol": "sms", "Endpoint": "+1", "FilterPolicy": {"a": ["b"]}},
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1, "Tags": tags}},
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "Tags": tags,
                "NotificationConfiguration": {},
                "AccessControl": "PublicRead",
                "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": False},
                "WebsiteConfiguration": {"IndexDocument": "index.html"},
            },
        },
        "BucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": "b", "PolicyDocument": POLICY}},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM | {"Tags": tags, "AlarmDescription": "d"}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1, "Tags": tags}},
        "Kept": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {
                "ProductionVariants": [{"VariantName": "a", "ModelName": "m"}],
                "ShadowProductionVariants": [{"VariantName": "b", "ModelName": "m"}],
                "DataCaptureConfig": {
                    "InitialSamplingPercentage": 1,
                    "DestinationS3Uri": "s3://b",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                },
                "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b"}},
                "ExecutionRoleArn": "arn:r",
            },
        },
    }
    asked: list[tuple[str, str, Members]] = []
    services = scene.services

    async def listening(service: str, operation: str, given: Members) -> Members:
        asked.append((service, operation, given))
        return await services(service, operation, given)

    scene.services = listening  # type: ignore[assignment]
    await apply(scene.write(json.dumps({"Resources": everything})), means=scene.means)
    for service, operation, given in asked:
        row = _TABLES[service][operation]
        assert given.keys() <= row.honoured | row.neutral, (service, operation)
