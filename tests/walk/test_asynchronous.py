"""Asynchronous inferences: accepted, run, told once, through a `kill -9`; and an update that nobody notices."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.loaded import Loaded
from tests.support import Instance, Start, clean_environment, eventually
from tests.walk.making import open_queue

SCRIPT = """
import os, time

def model_fn(model_dir):
    return os.environ["WORD"]

def input_fn(body, content_type):
    return bytes(body)

def predict_fn(body, word):
    with open(os.environ["RUNS"], "a") as file:
        file.write(body.decode() + chr(10))
    if body == b"fail":
        raise ValueError("as told")
    if body == b"x":
        time.sleep(0.02)  # so that some are always under way
    while body == b"slow" and not os.path.exists(os.environ["GATE"]):
        time.sleep(0.01)
    return word.encode() + b" " + body

def output_fn(answer, accept):
    return answer, "application/x-words"
"""
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/models"


def package() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(SCRIPT)
        file.addfile(member, io.BytesIO(SCRIPT.encode()))
    return archive.getvalue()


def make_models(instance: Instance, *names: str, **environment: str) -> None:
    """The role, the bucket `models` and models that answer with their own name first."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "sns:Publish"], "Resource": "*"}
    iam, s3, sagemaker = (instance.client(name) for name in ("iam", "s3", "sagemaker"))
    iam.create_role(RoleName="models", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    iam.put_role_policy(RoleName="models", PolicyName="p", PolicyDocument=json.dumps({"Statement": [may]}))
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="model.tar.gz", Body=package())
    for name in names:
        container = {"ModelDataUrl": "s3://models/model.tar.gz", "Environment": {**environment, "WORD": name}}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)


def denied(place: str) -> dict[str, Any]:
    """A bucket policy's statement against the role."""
    resource = f"arn:aws:s3:::{place}"
    return {"Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "s3:PutObject", "Resource": resource}


def in_service(instance: Instance, name: str, configuration: str) -> None:
    def settled() -> bool:
        found = instance.client("sagemaker").describe_endpoint(EndpointName=name)
        assert found["EndpointStatus"] != "Failed", found["FailureReason"]
        return (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", configuration)

    eventually(settled, timeout=60, what="the endpoint")


def variant(model: str, count: int = 2) -> dict[str, Any]:
    return {"VariantName": "all", "ModelName": model, "InitialInstanceCount": count, "InstanceType": "ml.m5.large"}


def told_topic(instance: Instance) -> str:
    """The ARN of a topic whose messages arrive raw in the queue `told`."""
    sns = instance.client("sns")
    topic = str(sns.create_topic(Name="ended")["TopicArn"])
    open_queue(instance.client("sqs"), "told")
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:told"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return topic


def arrived(instance: Instance) -> list[dict[str, Any]]:
    """What is in the queue, taken from it; its address is asked for, as a new start has another."""
    sqs = instance.client("sqs")
    url = sqs.get_queue_url(QueueName="told")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def told(instance: Instance) -> dict[str, Any]:
    """The next message; there is no other beside it."""
    [message] = eventually(lambda: arrived(instance), timeout=60, what="the message")
    return dict(message)


def read(instance: Instance, url: str) -> bytes:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    body = instance.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert isinstance(body, bytes)
    return body


def test_inferences_are_accepted_run_and_told_once_whatever_is_killed(start: Start, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    runs, gate = shared / "runs", shared / "gate"
    runs.touch()
    instance = start(data=tmp_path / "data", ALIGHT_WORKER_PATHS=str(shared))
    make_models(instance, "one", RUNS=str(runs), GATE=str(gate))
    topic = told_topic(instance)
    sagemaker, runtime, s3 = (instance.client(name) for name in ("sagemaker", "sagemaker-runtime", "s3"))
    config = {
        "OutputConfig": {
            "S3OutputPath": "s3://models/out/",
            "S3FailurePath": "s3://models/failed",
            "NotificationConfig": {"SuccessTopic": topic, "ErrorTopic": topic},
        },
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2},
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName="a", ProductionVariants=[variant("one")], AsyncInferenceConfig=config
    )
    sagemaker.create_endpoint(EndpointName="a", EndpointConfigName="a")
    in_service(instance, "a", "a")
    assert sagemaker.describe_endpoint(EndpointName="a")["AsyncInferenceConfig"] == config
    # A topic is told at once that it would be
    assert told(instance) == {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
    for word in ("fine", "fail", "slow"):
        s3.put_object(Bucket="models", Key=f"in/{word}", Body=word.encode())

    def ask(word: str, **more: Any) -> dict[str, Any]:
        given = {"EndpointName": "a", "InputLocation": f"s3://models/in/{word}", "ContentType": "application/x-word"}
        answer: dict[str, Any] = runtime.invoke_endpoint_async(**given, **more)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        return answer

    # A good one
    made = ask("fine", InferenceId="mine", Accept="application/x-words")
    assert (made["InferenceId"], made["OutputLocation"][:16]) == ("mine", "s3://models/out/")
    message = told(instance)
    assert {name: message.pop(name)[-1] for name in ("eventTime", "receivedTime")} == dict.fromkeys(
        ("eventTime", "receivedTime"), "Z"
    )
    assert message == {
        "awsRegion": "us-east-1",
        "invocationStatus": "Completed",
        "requestParameters": {
            "accept": "application/x-words",
            "contentType": "application/x-word",
            "endpointName": "a",
            "inputLocation": "s3://models/in/fine",
        },
        "responseParameters": {"contentType": "application/x-words", "outputLocation": made["OutputLocation"]},
        "inferenceId": "mine",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    assert read(instance, made["OutputLocation"]) == b"one fine"
    # One that the model fails is told, written down, and not tried again; so is one whose input is not there
    made = ask("fail")
    message = told(instance)
    assert (message["invocationStatus"], message["inferenceId"]) == ("Failed", made["InferenceId"])
    assert message["failureReason"].startswith("ClientError: Received server error (500) from model.")
    assert message["responseParameters"]["outputLocation"] == made["FailureLocation"]
    assert b"as told" in read(instance, made["FailureLocation"])
    assert runs.read_text().split() == ["fine", "fail"]
    ask("missing")
    message = told(instance)
    assert "The specified key does not exist" in message["failureReason"]
    dead = instance.json("events", "list", "--state", "dead")["events"]
    assert [event["function"] for event in dead] == ["endpoint/a", "endpoint/a"]
    # The role writes nothing where the bucket's policy denies it
    s3.put_bucket_policy(Bucket="models", Policy=json.dumps({"Statement": [denied("models/out/closed/*")]}))
    ask("fine", S3OutputPathExtension="closed")
    assert "not authorized to perform: s3:PutObject" in told(instance)["failureReason"]
    s3.delete_bucket_policy(Bucket="models")
    # What was accepted survives the end of everything, runs again and is told once
    made = ask("slow", S3OutputPathExtension="sub", Filename="slow.txt", InvocationTimeoutSeconds=60)
    assert made["OutputLocation"] == "s3://models/out/sub/slow.txt"
    eventually(lambda: "slow" in runs.read_text(), what="the run")
    instance.kill()
    instance = start(data=tmp_path / "data", ALIGHT_WORKER_PATHS=str(shared))
    gate.touch()
    message = told(instance)
    assert message["responseParameters"]["outputLocation"] == made["OutputLocation"]
    assert read(instance, made["OutputLocation"]) == b"one slow"
    assert runs.read_text().split().count("slow") == 2
    # A dead letter may be brought back once the reason is gone
    instance.client("s3").put_object(Bucket="models", Key="in/missing", Body=b"found")
    [lost] = [event["id"] for event in dead if event["source"]["input"].endswith("missing")]
    assert instance.alight("events", "redrive", lost).returncode == 0
    message = told(instance)
    assert message["invocationStatus"] == "Completed"
    # The other way of asking is refused, and so are jobs that train
    with pytest.raises(ClientError, match="asynchronous endpoint; use InvokeEndpointAsync"):
        instance.client("sagemaker-runtime").invoke_endpoint(EndpointName="a", Body=b"x")
    sagemaker = instance.client("sagemaker")
    with pytest.raises(ClientError, match="CreateNotebookInstance") as refused:
        sagemaker.create_notebook_instance(NotebookInstanceName="n", InstanceType="ml.t2.medium", RoleArn=ROLE)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    sagemaker.delete_endpoint(EndpointName="a")
    assert arrived(instance) == []


def test_no_request_fails_while_an_endpoint_is_changed(start: Start, tmp_path: Path, loaded: Loaded) -> None:
    # Given four clients that never pause
    shared = tmp_path / "shared"
    shared.mkdir()
    instance = start(ALIGHT_WORKER_PATHS=str(shared))
    make_models(instance, "one", "two", RUNS=str(shared / "runs"), GATE=str(shared))
    sagemaker = instance.client("sagemaker")
    for name in ("one", "two"):
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant(name)])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    in_service(instance, "e", "one")
    answers: list[bytes] = []
    faults: list[Exception] = []
    stop = threading.Event()

    def load() -> None:
        runtime = instance.client("sagemaker-runtime")
        while not stop.is_set():
            try:
                answers.append(runtime.invoke_endpoint(EndpointName="e", Body=b"x")["Body"].read())
            except Exception as fault:
                faults.append(fault)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    # When it moves to another model, then to other numbers, by the command line
    try:
        eventually(lambda: answers, what="the first answer")
        sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
        in_service(instance, "e", "two")
        eventually(lambda: answers[-1] == b"two x", what="the other model")
        words = [loaded("aws"), "sagemaker"]
        environment = clean_environment(**instance.variables, HOME=str(tmp_path))
        change = ["--desired-weights-and-capacities", "VariantName=all,DesiredWeight=1,DesiredInstanceCount=3"]
        for command in (
            ["update-endpoint-weights-and-capacities", "--endpoint-name", "e", *change],
            ["wait", "endpoint-in-service", "--endpoint-name", "e"],
            [
                "add-tags",
                "--resource-arn",
                f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/e",
                "--tags",
                "Key=a,Value=b",
            ],
        ):
            if command[0] == "wait":  # it looks every half minute
                in_service(instance, "e", "two")
            subprocess.run([*words, *command], env=environment, check=True, timeout=120, stdout=subprocess.DEVNULL)
    finally:
        stop.set()
        for client in clients:
            client.join()
    # Then nobody noticed
    assert faults == []
    assert set(answers) == {b"one x", b"two x"}
    described = sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"][0]
    assert described["CurrentInstanceCount"] == 3
    sagemaker.delete_endpoint(EndpointName="e")
    eventually(lambda: sagemaker.list_endpoints()["Endpoints"] == [], what="the end")
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName="e")
