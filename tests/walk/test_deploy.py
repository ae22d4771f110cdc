"""`aws cloudformation package` and `deploy` as they are, and the calls that `sam deploy` makes."""

from __future__ import annotations

import io
import json
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loaded import Loaded
from tests.support import Instance, clean_environment, eventually, invoke, start_alight, sweep
from tests.wire.served import AWS_PROGRAMS

APP = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Word: {Type: String, Default: one}
Resources:
  Says:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/
      Handler: app.handler
      Runtime: python3.11
      Environment: {Variables: {WORD: !Ref Word}}
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      Code: code/
      Handler: app.handler
      Runtime: python3.11
      Role: !GetAtt SaysRole.Arn
      Environment: {Variables: {WORD: plain}}
Outputs:
  Says: {Value: !Ref Says}
  Plain: {Value: !Ref Plain}
"""
CODE = "import os\ndef handler(event, context):\n    return os.environ['WORD']\n"
#: The bucket that `sam deploy --resolve-s3` makes for itself, in what matters of it.
MANAGED = """\
AWSTemplateFormatVersion : '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Description: Managed Stack for AWS SAM CLI
Resources:
  SamCliSourceBucket:
    Type: AWS::S3::Bucket
    Properties:
      Tags: [{Key: ManagedStackSource, Value: AwsSamCli}]
      VersioningConfiguration: {Status: Enabled}
  SamCliSourceBucketBucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref SamCliSourceBucket
      PolicyDocument:
        Statement:
          - Action: ["s3:GetObject"]
            Effect: Allow
            Resource: !Join ["", ["arn:", !Ref AWS::Partition, ":s3:::", !Ref SamCliSourceBucket, "/*"]]
            Principal: {Service: serverlessrepo.amazonaws.com}
Outputs:
  SourceBucket: {Value: !Ref SamCliSourceBucket}
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("deploy") / "data")
    yield started
    sweep(started.process)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(CODE)
    (tmp_path / "template.yaml").write_text(APP)
    return tmp_path


def outputs(stacks: Any, name: str) -> dict[str, str]:
    [stack] = stacks.describe_stacks(StackName=name)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def by_hand(instance: Instance, app: Path, bucket: str) -> str:
    """The template, its code uploaded."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.write(app / "code" / "app.py", "app.py")
    instance.client("s3").put_object(Bucket=bucket, Key="sam/code", Body=archive.getvalue())
    template = APP.replace("CodeUri: code/", f"CodeUri: s3://{bucket}/sam/code")
    return template.replace("Code: code/", f"Code: {{S3Bucket: {bucket}, S3Key: sam/code}}")


@pytest.mark.parametrize("program", AWS_PROGRAMS)
def test_package_and_deploy(instance: Instance, app: Path, program: str, loaded: Loaded) -> None:
    def aws(*words: str) -> subprocess.CompletedProcess[str]:
        tool = loaded(program)
        place = ["--endpoint-url", instance.url] if program == "aws2" else []
        settings = clean_environment(**instance.variables, HOME=str(app), AWS_MAX_ATTEMPTS="1", LANG="C.UTF-8")
        if "deploy" in words:
            # The command line names a change set by the second: two within one are a collision, on AWS too.
            begun = int(time.time())
            eventually(lambda: int(time.time()) > begun, what="the next second")
        command = [tool, *words, *place]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=settings, cwd=app)

    name = f"app-{program}"
    made = aws("s3", "mb", f"s3://code-{program}")
    assert made.returncode == 0, made.stderr
    if program == "aws":
        packaged = aws(
            "cloudformation", "package", "--template-file", "template.yaml", "--s3-bucket", "code-aws",
            "--output-template-file", "packaged.yaml",
        )  # fmt: skip
        assert packaged.returncode == 0, packaged.stderr
    else:
        # Before 2.13 `package` and `deploy --s3-bucket` upload to AWS, whatever the endpoint.
        (app / "packaged.yaml").write_text(by_hand(instance, app, "code-aws2"))
    deploy = ("cloudformation", "deploy", "--template-file", "packaged.yaml", "--stack-name", name)
    refused = aws(*deploy)
    assert "Requires capabilities : [CAPABILITY_IAM]" in refused.stderr
    deployed = aws(*deploy, "--capabilities", "CAPABILITY_IAM", "--tags", "team=birds")
    assert deployed.returncode == 0, deployed.stderr
    assert f"Successfully created/updated stack - {name}" in deployed.stdout
    stacks, functions = instance.client("cloudformation"), instance.client("lambda")
    told = outputs(stacks, name)
    assert invoke(functions, FunctionName=told["Says"])["Payload"] == b'"one"'
    assert invoke(functions, FunctionName=told["Plain"])["Payload"] == b'"plain"'

    # The template from the bucket, a parameter, and then nothing new.
    more = ("--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "Word=two")
    deployed = aws(*deploy, *more, *(("--s3-bucket", "code-aws") if program == "aws" else ()))
    assert deployed.returncode == 0, deployed.stderr
    assert invoke(functions, FunctionName=told["Says"])["Payload"] == b'"two"'
    again = aws(*deploy, *more, "--no-fail-on-empty-changeset")
    assert (again.returncode, "No changes to deploy" in again.stdout + again.stderr) == (0, True), again
    removed = aws("cloudformation", "delete-stack", "--stack-name", name)
    assert removed.returncode == 0, removed.stderr
    waited = aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", name)
    assert waited.returncode == 0, waited.stderr


def test_the_calls_of_sam_deploy(instance: Instance, app: Path) -> None:
    """As SAM's command line makes them, with its own bucket's stack first."""
    stacks, s3 = instance.client("cloudformation"), instance.client("s3")
    fast = {"Delay": 1, "MaxAttempts": 60}

    def change(name: str, kind: str, template: dict[str, str], **more: Any) -> None:
        made = stacks.create_change_set(
            StackName=name, ChangeSetName=f"samcli-{kind.lower()}", ChangeSetType=kind, Parameters=[],
            Description="Created by SAM CLI", **template, **more,
        )  # fmt: skip
        place = {"ChangeSetName": made["Id"], "StackName": name}
        stacks.get_waiter("change_set_create_complete").wait(**place, WaiterConfig=fast)
        pages = stacks.get_paginator("describe_change_set").paginate(**place)
        changes.extend(one["ResourceChange"] for page in pages for one in page["Changes"])
        stacks.execute_change_set(**place, DisableRollback=False)
        waiter = stacks.get_waiter("stack_create_complete" if kind == "CREATE" else "stack_update_complete")
        waiter.wait(StackName=name, WaiterConfig=fast)

    changes: list[dict[str, Any]] = []
    tags = [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}]
    own = "aws-sam-cli-managed-default"
    change(own, "CREATE", {"TemplateBody": MANAGED}, Tags=tags, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    [stack] = stacks.describe_stacks(StackName=own)["Stacks"]
    assert stack["Tags"] == tags
    bucket = outputs(stacks, own)["SourceBucket"]
    template = by_hand(instance, app, bucket)
    s3.put_object(Bucket=bucket, Key="sam-app/app.template", Body=template.encode())
    url = {"TemplateURL": f"https://s3.us-east-1.amazonaws.com/{bucket}/sam-app/app.template"}
    changes.clear()
    change("sam-app", "CREATE", url, Capabilities=["CAPABILITY_IAM"], NotificationARNs=[], Tags=[])
    assert {(one["Action"], one["LogicalResourceId"]) for one in changes} == {
        ("Add", "SaysRole"), ("Add", "Says"), ("Add", "Plain"),
    }  # fmt: skip
    told = outputs(stacks, "sam-app")
    assert invoke(instance.client("lambda"), FunctionName=told["Says"])["Payload"] == b'"one"'
    changes.clear()
    s3.put_object(
        Bucket=bucket, Key="sam-app/app.template", Body=template.replace("Default: one", "Default: 2").encode()
    )
    change("sam-app", "UPDATE", url, Capabilities=["CAPABILITY_IAM"])
    assert [(one["Action"], one["LogicalResourceId"], one["Replacement"]) for one in changes] == [
        ("Modify", "Says", "False")
    ]
    assert invoke(instance.client("lambda"), FunctionName=told["Says"])["Payload"] == b'"2"'
    events = [
        one
        for page in stacks.get_paginator("describe_stack_events").paginate(StackName="sam-app")
        for one in page["StackEvents"]
    ]
    assert events[0]["ResourceStatus"] == "UPDATE_COMPLETE"
    [first, second] = stacks.list_change_sets(StackName="sam-app")["Summaries"]
    assert {first["ExecutionStatus"], second["ExecutionStatus"]} == {"EXECUTE_COMPLETE"}
    processed = stacks.get_template(StackName="sam-app", TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Says"]["Type"] == "AWS::Lambda::Function"
    assert json.dumps(processed).count("Serverless") == 0
