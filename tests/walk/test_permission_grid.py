"""Each example with one of its permissions taken away fails on that very call, in AWS's words; with it, it works.

One instance for each example: what a role or a policy says is changed between the runs, as the owner would.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

import pytest

from alight.cli.demos.sentiment import post
from tests.reviews import GOOD
from tests.support import Instance, eventually, invoke, start_alight, sweep
from tests.walk.conftest import EXAMPLE, PICTURES
from tests.walk.making import events
from tests.walk.sentiments import Sentiments, sentiments

KEY = "birds/duck.jpg"


@dataclass(frozen=True)
class Role:
    """The inline policy of a function's role, which `without` changes for a while."""

    instance: Instance
    function: str

    def place(self) -> dict[str, str]:
        arn = self.instance.client("lambda").get_function_configuration(FunctionName=self.function)["Role"]
        name = arn.rpartition("/")[2]
        [policy] = self.instance.client("iam").list_role_policies(RoleName=name)["PolicyNames"]
        return {"RoleName": name, "PolicyName": policy}

    @contextmanager
    def without(self, action: str) -> Iterator[str]:
        """The role with all of its statements but the one that allows `action`; the resource that was allowed."""
        iam, place = self.instance.client("iam"), self.place()
        whole: dict[str, Any] = iam.get_role_policy(**place)["PolicyDocument"]
        [gone] = [one for one in whole["Statement"] if one["Action"] == action]
        left = [one for one in whole["Statement"] if one is not gone]
        # A policy has at least one statement; this one allows what nobody asks for.
        left = left or [{"Effect": "Allow", "Action": "sts:TagSession", "Resource": "*"}]
        iam.put_role_policy(**place, PolicyDocument=json.dumps(whole | {"Statement": left}))
        try:
            yield str(gone["Resource"])
        finally:
            iam.put_role_policy(**place, PolicyDocument=json.dumps(whole))

    def denial(self, code: str, operation: str, action: str, resource: str) -> str:
        """What boto3 says in the function where it may not do `action`."""
        session = f"arn:aws:sts::000000000000:assumed-role/{self.place()['RoleName']}/{self.function}"
        return (
            f"An error occurred ({code}) when calling the {operation} operation: User: {session} is not authorized to "
            f"perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
        )


# Birds ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Birds:
    """The example, with a picture in its bucket."""

    role: Role
    outputs: Mapping[str, Any]

    def events(self) -> list[dict[str, Any]]:
        """What the bucket has accepted for the function, newest first."""
        return events(self.role.instance)

    def run(self) -> tuple[bool, str]:
        """Whether the function succeeded for the picture, and the end of its log."""
        bucket = {"name": self.outputs["BucketName"]}
        event = {"Records": [{"s3": {"bucket": bucket, "object": {"key": KEY}}}]}
        answer = invoke(
            self.role.instance.client("lambda"), FunctionName=self.role.function, LogType="Tail",
            Payload=json.dumps(event).encode(),
        )  # fmt: skip
        return "FunctionError" not in answer, base64.b64decode(answer["LogResult"]).decode()


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Birds]:
    # Nobody is subscribed, and what the picture itself sets going is not what the tests look at.
    instance = start_alight(tmp_path_factory.mktemp("grid") / "data", EXAMPLE, timeout=60)
    outputs = instance.json("outputs")
    instance.client("s3").put_object(Bucket=outputs["BucketName"], Key=KEY, Body=PICTURES["duck.jpg"])
    yield Birds(Role(instance, outputs["FunctionName"]), outputs)
    sweep(instance.process)


@pytest.mark.parametrize(
    ("action", "operation", "code", "done"),
    [
        ("s3:GetObject", "GetObject", "AccessDenied", "KEY: birds/duck.jpg"),
        ("sagemaker:InvokeEndpoint", "InvokeEndpoint", "AccessDeniedException", "Invoking bird species"),
        ("sns:Publish", "Publish", "AuthorizationError", "Publishing message to SNS topic"),
    ],
)
def test_birds(birds: Birds, action: str, operation: str, code: str, done: str) -> None:
    with birds.role.without(action) as resource:
        succeeded, log = birds.run()
    wanted = {"s3:GetObject": f"arn:aws:s3:::{birds.outputs['BucketName']}/{KEY}"}.get(action, resource)
    assert not succeeded
    assert birds.role.denial(code, operation, action, wanted) in log
    assert done in log, "what comes before that call has worked"
    succeeded, log = birds.run()
    assert succeeded, log
    assert "msg: Bird [birds/duck.jpg] is a:" in log


def test_the_doctor_knows_the_least_that_birds_need(birds: Birds) -> None:
    birds.run()
    instance, role = birds.role.instance, birds.role
    iam, place = instance.client("iam"), role.place()
    whole = iam.get_role_policy(**place)["PolicyDocument"]
    extra = {"Effect": "Allow", "Action": "s3:DeleteBucket", "Resource": "*"}
    wider = whole | {"Statement": [*whole["Statement"], extra]}
    iam.put_role_policy(**place, PolicyDocument=json.dumps(wider))
    found = instance.json("doctor", "--least-privilege", role.function)
    group = f"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/{role.function}:*"
    bucket = birds.outputs["BucketName"]
    endpoint = f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{birds.outputs['EndpointName']}"
    assert found["policy"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": group,
        },
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/birds/*"},
        {"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": endpoint},
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": birds.outputs["TopicArn"]},
    ]
    unused = [(one["policy"], one["action"]) for one in found["beyond"] if not one["used"]]
    assert unused == [(place["PolicyName"], "s3:DeleteBucket")]
    assert "s3:DeleteBucket" in instance.alight("doctor", "--least-privilege", role.function).stdout
    iam.put_role_policy(**place, PolicyDocument=json.dumps(found["policy"]))
    succeeded, log = birds.run()
    iam.put_role_policy(**place, PolicyDocument=json.dumps(whole))
    assert succeeded, log


def test_birds_whose_bucket_may_not_call_the_function(birds: Birds) -> None:
    functions, name = birds.role.instance.client("lambda"), birds.role.function
    s3, bucket = birds.role.instance.client("s3"), birds.outputs["BucketName"]
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    told = {"LambdaFunctionConfigurations": before["LambdaFunctionConfigurations"]}
    policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
    [statement] = [one for one in policy["Statement"] if one["Principal"] == {"Service": "s3.amazonaws.com"}]
    functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    with pytest.raises(s3.exceptions.ClientError) as refused:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    error = refused.value.response["Error"]
    assert error["Message"] == "Unable to validate the following destination configurations"
    [arn] = (one["LambdaFunctionArn"] for one in told["LambdaFunctionConfigurations"])
    assert error["ArgumentValue1"] == f"Not authorized to invoke function [{arn}]"
    count = len(birds.events())
    s3.put_object(Bucket=bucket, Key="birds/unseen.jpg", Body=PICTURES["duck.jpg"])
    functions.add_permission(
        FunctionName=name, StatementId="again", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}", SourceAccount="000000000000",
    )  # fmt: skip
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    s3.put_object(Bucket=bucket, Key="birds/seen.jpg", Body=PICTURES["duck.jpg"])
    sources = eventually(lambda: birds.events()[: -count or None], what="the event of the second picture")
    assert [one["source"]["key"] for one in sources] == ["birds/seen.jpg"]


# Sentiment -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentiments]:
    pytest.importorskip("xgboost")
    with sentiments(tmp_path_factory.mktemp("sentiment-grid")) as made:
        yield made


def test_sentiment_whose_function_may_not_ask_the_endpoint(app: Sentiments) -> None:
    role = Role(app.instance, app.outputs["FunctionName"])
    with role.without("sagemaker:InvokeEndpoint") as resource:
        assert post(app.api, GOOD) == (502, "The model did not answer. Try again later.")
    denial = role.denial("AccessDeniedException", "InvokeEndpoint", "sagemaker:InvokeEndpoint", resource)
    assert denial in app.instance.alight("logs", role.function).stdout
    assert post(app.api, GOOD) == (200, "1")


def test_sentiment_whose_api_may_not_call_the_function(app: Sentiments) -> None:
    functions, name = app.instance.client("lambda"), app.outputs["FunctionName"]
    statements = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    for one in statements:
        functions.remove_permission(FunctionName=name, StatementId=one["Sid"])
    status, text = post(app.api, GOOD)
    assert (status, json.loads(text)) == (500, {"message": "Internal server error"})
    for one in statements:
        functions.add_permission(
            FunctionName=name, StatementId=one["Sid"], Action=one["Action"], Principal=one["Principal"]["Service"],
            SourceArn=one["Condition"]["ArnLike"]["AWS:SourceArn"],
        )  # fmt: skip
    assert post(app.api, GOOD) == (200, "1")


def test_sentiment_whose_site_is_not_public(app: Sentiments) -> None:
    s3, bucket = app.instance.client("s3"), app.outputs["BucketName"]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    with pytest.raises(HTTPError) as error:
        urllib.request.urlopen(app.page, timeout=30)
    assert (error.value.code, b"AccessDenied" in error.value.read()) == (403, True)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    with urllib.request.urlopen(app.page, timeout=30) as answer:
        assert answer.status == 200
        answer.read()
