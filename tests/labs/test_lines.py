"""Line by line through both courses, beside what the scripts do: words that are taught, users of a class, a camera's
uploads, and what is not here, which is refused by its name. `docs/how-to/labs.md` has the same table."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.labs.packages import package
from tests.support import Instance, eventually, invoke, start_alight, sweep
from tests.walk.making import make_endpoint

ROLE = "arn:aws:iam::000000000000:role/tester"
SPECIES = "Purple Martin\nNorthern Cardinal\nAmerican Goldfinch\nEastern Bluebird\n"
#: The workshop's model by its answers: a JSON array of four probabilities.
MODEL = """
import json

def model_fn(folder):
    return [0.02, 0.94, 0.03, 0.01]

def input_fn(body, content_type):
    assert content_type == "application/x-image", content_type
    return body

def predict_fn(picture, model):
    return model if len(picture) > 10 else [0.1, 0.55, 0.3, 0.05]

def output_fn(prediction, accept):
    return json.dumps(prediction), "application/json"
"""
REQUIRED: dict[str, dict[str, Any]] = {
    "CreateTrainingJob": {
        "TrainingJobName": "birds01-01", "RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://b/"},
        "AlgorithmSpecification": {"TrainingImage": "image-classification:1", "TrainingInputMode": "File"},
        "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
    "DescribeTrainingJob": {"TrainingJobName": "birds01-01"},
    "CreateTransformJob": {
        "TransformJobName": "t", "ModelName": "m", "TransformOutput": {"S3OutputPath": "s3://b/"},
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/test.csv"}}},
        "TransformResources": {"InstanceType": "ml.m4.xlarge", "InstanceCount": 1},
    },
    "CreateNotebookInstance": {"NotebookInstanceName": "n", "InstanceType": "ml.t2.medium", "RoleArn": ROLE},
    "StopNotebookInstance": {"NotebookInstanceName": "n"},
    "DeleteNotebookInstance": {"NotebookInstanceName": "n"},
    "CreateNotebookInstanceLifecycleConfig": {"NotebookInstanceLifecycleConfigName": "n"},
}  # fmt: skip
#: Of the workshop's own template: the notebook, and the key `Conditions` twice.
NOTEBOOK = """
Conditions:
  Twice: !Equals [!Ref EnvType, prod]
Conditions:
  Twice: !Equals [a, a]
Resources:
  Fine: {Type: AWS::SNS::Topic, Condition: Twice}
  Notebook: {Type: AWS::SageMaker::NotebookInstance, Properties: {InstanceType: ml.t2.medium, RoleArn: x}}
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("lines") / "data", ALIGHT_RETRY_DELAYS="0.05,0.05")
    trusted = {"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}
    trust = {"Statement": {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}}
    everything = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    iam = started.client("iam")
    iam.create_role(RoleName="tester", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="tester", PolicyName="all", PolicyDocument=json.dumps(everything))
    yield started
    sweep(started.process)


def refusal(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.mark.parametrize("operation", REQUIRED)
def test_training_transforming_and_notebooks_are_refused_by_name(instance: Instance, operation: str) -> None:
    sagemaker = instance.client("sagemaker")
    [method] = [name for name, known in sagemaker.meta.method_to_api_mapping.items() if known == operation]
    with pytest.raises(ClientError) as caught:
        getattr(sagemaker, method)(**REQUIRED[operation])
    assert refusal(caught) == (501, "NotImplemented", f"Alight does not offer sagemaker:{operation}.")


@pytest.mark.parametrize(("service", "method"), [("iot", "list_things"), ("greengrass", "list_groups")])
def test_other_services_are_refused_by_name(instance: Instance, service: str, method: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(instance.client(service), method)()
    assert refusal(caught) == (501, "NotImplemented", f"Alight does not offer the service {service}.")


def test_a_notebook_in_a_template_is_refused_before_anything_is_made(instance: Instance) -> None:
    stacks = instance.client("cloudformation")
    with pytest.raises(ClientError) as caught:
        stacks.create_stack(StackName="bw01-01", TemplateBody=NOTEBOOK)
    status, code, message = refusal(caught)
    assert (status, code) == (400, "ValidationError")
    assert "Resources.Notebook: AWS::SageMaker::NotebookInstance: there are no notebook machines here" in message
    assert "EnvType" not in message, "the last `Conditions` counts"
    assert stacks.describe_stacks()["Stacks"] == []


def test_the_users_of_a_class(instance: Instance) -> None:
    """As create_group.sh and create_users.sh make them, and as they go again."""
    iam, full = instance.client("iam"), "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    iam.create_group(GroupName="students")
    iam.attach_group_policy(GroupName="students", PolicyArn=full)
    iam.create_user(UserName="student01")
    iam.create_login_profile(UserName="student01", Password="Bird-watching-1!", PasswordResetRequired=False)
    iam.add_user_to_group(GroupName="students", UserName="student01")
    assert [user["UserName"] for user in iam.get_group(GroupName="students")["Users"]] == ["student01"]
    iam.remove_user_from_group(GroupName="students", UserName="student01")
    iam.delete_login_profile(UserName="student01")
    iam.delete_user(UserName="student01")
    iam.detach_group_policy(GroupName="students", PolicyArn=full)
    iam.delete_group(GroupName="students")


def test_a_camera_puts_public_pictures(instance: Instance) -> None:
    """Nested keys, no content type, and an ACL that a new bucket does not take until its owner says so."""
    s3, bucket, key = instance.client("s3"), "deeplens-camera", "birds/11_28/14_05/1795000000_0.jpg"
    s3.create_bucket(Bucket=bucket)
    picture = {"ACL": "public-read", "Body": b"picture", "Bucket": bucket, "Key": key}
    with pytest.raises(ClientError) as caught:
        s3.put_object(**picture)
    assert refusal(caught) == (400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )  # fmt: skip
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(**picture)
    assert s3.head_object(Bucket=bucket, Key=key)["ContentType"] == "binary/octet-stream"
    with urllib.request.urlopen(f"{instance.url}/{bucket}/{key}", timeout=20) as answer:
        assert answer.read() == b"picture"
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(f"{instance.url}/{bucket}", timeout=20)
    told.value.close()
    assert told.value.code == 403


def test_a_body_that_is_a_list_never_leaves_the_notebook(instance: Instance) -> None:
    with pytest.raises(ParamValidationError):
        instance.client("runtime.sagemaker").invoke_endpoint(EndpointName="x", Body=[0, 1, 0])


def test_the_words_that_lab_4_shows(instance: Instance, tmp_path: Path) -> None:
    """The four species of the workshop; then its failures: a picture that is gone, an endpoint that is not there."""
    endpoint, function = "nabirds-species-identifier09-05", "IdentifySpeciesAndNotify09-05"
    make_endpoint(instance, endpoint, MODEL, 1)
    s3, functions = instance.client("s3"), instance.client("lambda")
    s3.create_bucket(Bucket="deeplens-words")
    made = functions.create_function(
        FunctionName=function, Runtime="python3.6", Role=ROLE, Handler="lambda_function.lambda_handler",
        Code={"ZipFile": package(SPECIES)}, Environment={"Variables": {"SAGEMAKER_ENDPOINT_NAME": endpoint}},
    )  # fmt: skip
    assert (made["Timeout"], made["MemorySize"], made["Version"]) == (3, 128, "$LATEST")
    functions.update_function_configuration(FunctionName=function, Timeout=60)  # for a busy machine

    def ask(key: str) -> dict[str, Any]:
        place = {"bucket": {"name": "deeplens-words"}, "object": {"key": key}}
        return invoke(functions, FunctionName=function, Payload=json.dumps({"Records": [{"s3": place}]}))

    s3.put_object(Bucket="deeplens-words", Key="birds/northern-cardinal.jpg", Body=b"p" * 106394)
    s3.put_object(Bucket="deeplens-words", Key="birds/unclear one.jpg", Body=b"p")
    assert json.loads(ask("birds/northern-cardinal.jpg")["Payload"]) == "success"
    assert json.loads(ask("birds/unclear+one.jpg")["Payload"]) == "success"
    log = eventually(lambda: _lines(instance, function, 2), what="both REPORT lines")
    assert log.count("Loading function") == 1, "once for each cold start"
    assert "msg: Bird [birds/northern-cardinal.jpg] is a: Northern Cardinal(0.94)" in log
    assert (
        "msg: Bird [birds/unclear one.jpg] may be a: Northern Cardinal(0.55), or American Goldfinch(0.30)" in log
    )  # fmt: skip
    first = log[log.index("KEY: birds/northern-cardinal.jpg") :]
    assert first[1] == "CONTENT LENGTH: 106394"
    assert first[3] == "Invoking bird species identification endpoint"
    assert first[5:7] == ["'SNS_TOPIC_ARN'", "Error publishing message to SNS."]

    gone = ask("birds/deleted.jpg")
    assert (gone["FunctionError"], json.loads(gone["Payload"])["errorType"]) == ("Unhandled", "NoSuchKey")
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": {"SAGEMAKER_ENDPOINT_NAME": "nabirds"}}
    )
    told = json.loads(ask("birds/northern-cardinal.jpg")["Payload"])["errorMessage"]
    assert told == (
        "An error occurred (ValidationError) when calling the InvokeEndpoint operation: "
        "Endpoint nabirds of account 000000000000 not found."
    )


def _lines(instance: Instance, function: str, reports: int) -> list[str] | None:
    """What the function has said, once it has been through so many invocations."""
    logs = instance.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
    lines = [event["message"].strip() for page in pages for event in page["events"]]
    return lines if sum(line.startswith("REPORT ") for line in lines) >= reports else None
