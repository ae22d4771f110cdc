"""Versions and aliases: what was published stays as it was, and names lead to it, for every kind of caller."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, Start, eventually, invoke, start_alight, sweep
from tests.walk.making import ROLE, let_in, make_function, make_role

CODE = """
import os
def handler(event, context):
    print("this is {number}")
    return {{"code": {number}, "version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"], "who": os.environ.get("WHO"),
            "context": context.function_version, "arn": context.invoked_function_arn,
            "stream": context.log_stream_name, "pid": os.getpid()}}
"""
FAILS = "def handler(event, context):\n    raise ValueError(event)\n"


def code(number: int) -> str:
    return CODE.format(number=number)


def zipped(text: str, name: str = "app.py") -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, text)
    return archive.getvalue()


def answer(functions: Any, **given: Any) -> Any:
    return json.loads(invoke(functions, **given)["Payload"])


def refused(fault: str, call: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    assert caught.value.response["Error"]["Code"] == fault, caught.value
    return str(caught.value.response["Error"]["Message"])


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("versions") / "data", ALIGHT_RETRY_DELAYS="0.05,0.05")
    make_role(started)
    yield started
    sweep(started.process)


def test_what_was_published_stays_as_it_was(start: Start, tmp_path: Path) -> None:
    instance = start(data=tmp_path / "data")
    make_role(instance)
    arn = make_function(instance, "f", code(1), WHO="first")
    functions = instance.client("lambda")
    one = functions.publish_version(FunctionName="f", Description="the first")
    assert (one["Version"], one["FunctionArn"], one["Description"]) == ("1", f"{arn}:1", "the first")
    assert functions.publish_version(FunctionName="f", Description="again")["Version"] == "1", "nothing has changed"
    two = functions.update_function_code(FunctionName="f", ZipFile=zipped(code(2)), Publish=True)
    assert (two["Version"], two["FunctionArn"]) == ("2", f"{arn}:2")
    functions.update_function_configuration(FunctionName="f", Environment={"Variables": {"WHO": "later"}})
    got = {name: answer(functions, FunctionName="f", Qualifier=name) for name in ("1", "2", "$LATEST")}
    assert [(one["code"], one["version"], one["who"], one["arn"]) for one in got.values()] == [
        (1, "1", "first", f"{arn}:1"),
        (2, "2", "first", f"{arn}:2"),
        (2, "$LATEST", "later", f"{arn}:$LATEST"),
    ]
    assert len({one["pid"] for one in got.values()}) == 3, "workers of different versions never mix"
    assert got["1"]["context"] == "1"
    assert "[1]" in got["1"]["stream"]
    called = functions.invoke(FunctionName=f"{arn}:1", LogType="Tail")
    assert json.loads(called["Payload"].read())["pid"] == got["1"]["pid"]
    assert called["ExecutedVersion"] == "1"
    shown = functions.get_function(FunctionName="f", Qualifier="1")["Configuration"]
    assert (shown["Version"], shown["Environment"]["Variables"]) == ("1", {"WHO": "first"})
    pages = functions.get_paginator("list_versions_by_function").paginate(
        FunctionName="f", PaginationConfig={"PageSize": 1}
    )
    assert [one["Version"] for page in pages for one in page["Versions"]] == ["$LATEST", "1", "2"]
    instance.kill()
    functions = start(data=instance.data).client("lambda")
    assert answer(functions, FunctionName="f:1")["who"] == "first", "after kill -9 too"


def test_what_publishing_and_deleting_refuse(instance: Instance) -> None:
    arn = make_function(instance, "refusing", code(1))
    functions = instance.client("lambda")
    before = functions.get_function_configuration(FunctionName="refusing")
    invalid, publish, delete = "InvalidParameterValueException", functions.publish_version, functions.delete_function
    assert "is different from current CodeSHA256" in refused(invalid, publish, FunctionName="refusing", CodeSha256="x")
    refused("PreconditionFailedException", publish, FunctionName="refusing", RevisionId="other")
    refused("ResourceNotFoundException", publish, FunctionName="nobody")
    publish(FunctionName="refusing", CodeSha256=before["CodeSha256"], RevisionId=before["RevisionId"])
    functions.create_alias(FunctionName="refusing", Name="live", FunctionVersion="1")
    assert "live" in refused("ResourceConflictException", delete, FunctionName="refusing", Qualifier="1")
    refused(invalid, delete, FunctionName="refusing", Qualifier="$LATEST")
    refused(invalid, delete, FunctionName="refusing", Qualifier="live")
    refused(invalid, delete, FunctionName=f"{arn}:1", Qualifier="2")
    refused(invalid, functions.update_function_configuration, FunctionName=f"{arn}:1", Description="x")
    refused(invalid, functions.put_function_concurrency, FunctionName=f"{arn}:live", ReservedConcurrentExecutions=1)
    functions.delete_alias(FunctionName="refusing", Name="live")
    delete(FunctionName="refusing", Qualifier="1")
    delete(FunctionName="refusing", Qualifier="1")
    assert f"{arn}:1" in refused("ResourceNotFoundException", functions.invoke, FunctionName="refusing", Qualifier="1")
    assert publish(FunctionName="refusing")["Version"] == "2", "the number of a deleted version is not given again"
    delete(FunctionName="refusing")
    refused("ResourceNotFoundException", functions.get_function, FunctionName="refusing", Qualifier="2")
    again = functions.create_function(
        FunctionName="refusing", Runtime="python3.11", Role=f"arn:aws:iam::000000000000:role/{ROLE}",
        Handler="app.handler", Code={"ZipFile": zipped(code(3))}, Publish=True,
    )  # fmt: skip
    assert (again["Version"], again["FunctionArn"]) == ("3", arn)


def test_an_alias_leads_every_caller_to_its_version(instance: Instance) -> None:
    arn = make_function(instance, "f", code(1))
    functions, s3, sns = instance.client("lambda"), instance.client("s3"), instance.client("sns")
    functions.publish_version(FunctionName="f")
    functions.update_function_code(FunctionName="f", ZipFile=zipped(FAILS), Publish=True)
    alias = functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1", Description="x")["AliasArn"]
    assert alias == f"{arn}:live"
    got = answer(functions, FunctionName=alias)
    assert (got["code"], got["version"], got["arn"]) == (1, "1", alias)
    assert got["pid"] == answer(functions, FunctionName="f:1")["pid"], "one worker for the version and its aliases"
    assert functions.get_function(FunctionName="f", Qualifier="live")["Configuration"]["FunctionArn"] == alias

    functions.add_permission(
        FunctionName="f", Qualifier="live", StatementId="s", Action="lambda:InvokeFunction", Principal="*"
    )
    [statement] = json.loads(functions.get_policy(FunctionName="f", Qualifier="live")["Policy"])["Statement"]
    assert statement["Resource"] == alias
    refused("ResourceNotFoundException", functions.get_policy, FunctionName="f")
    api = instance.client("apigatewayv2").create_api(Name="a", ProtocolType="HTTP", Target=alias)
    with urllib.request.urlopen(f"{instance.url}/_aws/execute-api/{api['ApiId']}/", timeout=30) as page:
        assert json.loads(page.read())["version"] == "1"

    s3.create_bucket(Bucket="box")
    wanted = {"LambdaFunctionArn": alias, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="box", NotificationConfiguration={"LambdaFunctionConfigurations": [wanted]}
    )
    nowhere = {"LambdaFunctionConfigurations": [wanted | {"LambdaFunctionArn": f"{arn}:nope"}]}
    refused(
        "InvalidArgument", s3.put_bucket_notification_configuration, Bucket="box", NotificationConfiguration=nowhere
    )
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"{arn}:1")
    let_in(instance, f"{arn}:1", "sns", topic)
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    sns.publish(TopicArn=topic, Message="hello")
    done = eventually(lambda: _events(instance, "succeeded", 2))
    assert sorted(one["function"] for one in done) == ["f:1", "f:live"]

    queue = instance.client("sqs").create_queue(QueueName="ends")["QueueUrl"]
    functions.put_function_event_invoke_config(
        FunctionName="f", Qualifier="live", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:ends"}},
    )  # fmt: skip
    assert len(functions.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]) == 1
    assert functions.get_function_event_invoke_config(FunctionName=alias)["FunctionArn"] == alias
    refused("ResourceNotFoundException", functions.get_function_event_invoke_config, FunctionName="f")
    functions.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    [dead] = eventually(lambda: _events(instance, "dead", 1))
    assert len(instance.json("events", "show", dead["id"])["history"]) == 1, "the alias' own settings"
    [told] = instance.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    record = json.loads(told["Body"])
    assert record["requestContext"]["functionArn"] == alias
    assert record["responseContext"]["executedVersion"] == "2"


def _events(instance: Instance, state: str, number: int) -> Any:
    """With no name other than the function's, its versions' and aliases' too."""
    found = instance.json("events", "list", "--state", state, "--function", "f")["events"]
    return found if len(found) >= number else None


def test_an_alias_shares_calls_by_weight(instance: Instance) -> None:
    make_function(instance, "shared", code(1))
    functions = instance.client("lambda")
    functions.publish_version(FunctionName="shared")
    functions.update_function_code(FunctionName="shared", ZipFile=zipped(code(2)), Publish=True)
    alias = {"FunctionName": "shared", "Name": "live"}
    create, invalid = functions.create_alias, "InvalidParameterValueException"

    def weights(**given: float) -> Any:
        return {"AdditionalVersionWeights": {name.removeprefix("v"): weight for name, weight in given.items()}}

    refused("ResourceNotFoundException", create, **alias, FunctionVersion="9")
    refused("ResourceNotFoundException", create, **alias, FunctionVersion="1", RoutingConfig=weights(v9=0.5))
    refused(invalid, create, **alias, FunctionVersion="1", RoutingConfig=weights(v1=0.5))
    refused(invalid, create, **alias, FunctionVersion="$LATEST", RoutingConfig=weights(v1=0.5))
    refused(invalid, create, **alias, FunctionVersion="1", RoutingConfig=weights(v2=0.5, v3=0.1))
    refused("ValidationException", create, FunctionName="shared", Name="12", FunctionVersion="1")
    refused("ResourceNotFoundException", functions.get_alias, **alias)
    refused("ResourceNotFoundException", functions.update_alias, **alias, Description="x")
    made = create(**alias, FunctionVersion="1", RoutingConfig=weights(v2=0.5))
    refused("ResourceConflictException", create, **alias, FunctionVersion="1")
    assert made["RoutingConfig"] == weights(v2=0.5)
    seen = [invoke(functions, FunctionName="shared:live")["ExecutedVersion"] for _ in range(40)]
    assert set(seen) == {"1", "2"}, "one in 2^39 fails"
    refused("PreconditionFailedException", functions.update_alias, **alias, RevisionId="other")
    refused("ResourceConflictException", functions.delete_function, FunctionName="shared", Qualifier="2")
    changed = functions.update_alias(**alias, RevisionId=made["RevisionId"], RoutingConfig=weights())
    assert "RoutingConfig" not in changed
    assert changed["RevisionId"] != made["RevisionId"]
    assert {invoke(functions, FunctionName="shared:live")["ExecutedVersion"] for _ in range(20)} == {"1"}
    create(FunctionName="shared", Name="next", FunctionVersion="$LATEST")
    listed = functions.get_paginator("list_aliases").paginate(FunctionName="shared", PaginationConfig={"PageSize": 1})
    assert [one["Name"] for page in listed for one in page["Aliases"]] == ["live", "next"]
    assert [one["Name"] for one in functions.list_aliases(FunctionName="shared", FunctionVersion="1")["Aliases"]] == [
        "live"
    ]


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {LayerName: shared, ContentUri: layer/, CompatibleRuntimes: [python3.11]}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: hello
      Handler: app.handler
      Runtime: python3.11
      CodeUri: src/
      Layers: [!Ref Shared]
      AutoPublishAlias: live
      EventInvokeConfig: {MaximumRetryAttempts: 1}
      Events:
        Put:
          Type: S3
          Properties: {Bucket: !Ref Box, Events: "s3:ObjectCreated:*"}
  Box:
    Type: AWS::S3::Bucket
    Properties: {BucketName: box}
Outputs:
  Alias: {Value: !Ref Hello.Alias}
"""


def write(app: Path, number: int) -> None:
    for path in ("src", "layer/python"):
        (app / path).mkdir(parents=True, exist_ok=True)
    (app / "template.yaml").write_text(TEMPLATE)
    (app / "src" / "app.py").write_text(code(number) + "import shared\nprint(shared.NUMBER)\n")
    (app / "layer" / "python" / "shared.py").write_text(layer(number))


def layer(number: int) -> str:
    return f"NUMBER = {number}\n"


def test_a_template_publishes_versions_of_functions_and_layers(start: Start, tmp_path: Path) -> None:
    app = tmp_path / "app"
    write(app, 1)
    instance = start(app, data=tmp_path / "data")
    functions = instance.client("lambda")
    instance.client("s3").put_object(Bucket="box", Key="k", Body=b"x")
    [event] = eventually(lambda: instance.json("events", "list", "--state", "succeeded")["events"])
    assert event["function"] == "hello:live"
    assert answer(functions, FunctionName=instance.json("outputs")["Alias"])["version"] == "1"
    settings = functions.get_function_event_invoke_config(FunctionName="hello", Qualifier="live")
    assert settings["MaximumRetryAttempts"] == 1
    unused = functions.publish_layer_version(
        LayerName="unused", Content={"ZipFile": zipped(layer(7), "python/shared.py")}
    )  # fmt: skip
    instance.kill()
    write(app, 2)
    functions = start(app, data=tmp_path / "data").client("lambda")
    got = answer(functions, FunctionName="hello:live")
    assert (got["code"], got["version"]) == (2, "2")
    assert _layers(functions, "2") == ["arn:aws:lambda:us-east-1:000000000000:layer:shared:2"]
    assert answer(functions, FunctionName="hello:1")["code"] == 1, "SAM keeps versions that were replaced"
    assert _layers(functions, "1") == ["arn:aws:lambda:us-east-1:000000000000:layer:shared:1"]
    functions.update_function_configuration(FunctionName="hello", Layers=[unused["LayerVersionArn"]])
    called = functions.invoke(FunctionName="hello", LogType="Tail")
    called["Payload"].read()
    assert "\n7\n" in base64.b64decode(called["LogResult"]).decode(), "no function had this layer at the restart"


def _layers(functions: Any, version: str) -> list[str]:
    shown = functions.get_function_configuration(FunctionName="hello", Qualifier=version)
    return [layer["Arn"] for layer in shown["Layers"]]
