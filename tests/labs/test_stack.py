"""The bird lab as one stack, with boto3: made, changed and removed, and every question about it answered the same by a
runtime that ended in the middle of the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.labs.account import left
from tests.labs.driving import LABS
from tests.labs.machine import End, Machine
from tests.labs.packages import HANDLER, package
from tests.support import Start
from tests.walk.conftest import EXAMPLE, PICTURES
from tests.walk.gateways import Phones

TEMPLATE = (LABS / "apps" / "stack" / "template.yaml").read_text()
LABELS = (EXAMPLE / "src" / "labels.txt").read_text()
ARTIFACTS, PHONE, STACK = "sagemaker-artifacts-lab", "+16035551212", "bw01-01"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def upload_artifacts(s3: Any) -> None:
    s3.create_bucket(Bucket=ARTIFACTS)
    s3.put_object(Bucket=ARTIFACTS, Key="model.tar.gz", Body=(EXAMPLE / "model.tar.gz").read_bytes())
    s3.put_object(Bucket=ARTIFACTS, Key="one.zip", Body=package(LABELS))
    s3.put_object(Bucket=ARTIFACTS, Key="two.zip", Body=package(LABELS, HANDLER.replace(" is a: ", " is surely a: ")))


def given(code: str) -> dict[str, Any]:
    values = {"UserSuffix": "01-01", "Artifacts": ARTIFACTS, "CodeKey": code, "PhoneNumber": PHONE}
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    return {"StackName": STACK, "Parameters": parameters, "Capabilities": ["CAPABILITY_NAMED_IAM"]}


def settled(machine: Machine, waiter: str, name: str = STACK) -> None:
    waiting = machine.instance.client("cloudformation").get_waiter(waiter)
    waiting.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 100})


def outputs(machine: Machine) -> dict[str, str]:
    [stack] = machine.instance.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def put(machine: Machine, key: str, picture: str) -> None:
    s3 = machine.instance.client("s3")
    s3.put_object(Bucket="birds-01-01-pictures", Key=key, Body=PICTURES[picture], ContentType="image/jpeg")


def invoke(machine: Machine, endpoint: str) -> bytes:
    """As the workshop's `test_direct_sample.py` does it, by the service's old name."""
    runtime = machine.instance.client("runtime.sagemaker")
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint, ContentType="application/x-image", Body=PICTURES["king-penguin.jpg"]
    )
    body: bytes = answer["Body"].read()
    return body


def test_the_bird_lab_as_a_stack(start: Start, tmp_path: Path, phones: Phones, end: End) -> None:
    machine = Machine(start, tmp_path / "data", ALIGHT_SMS_URL=phones.url("json"))
    upload_artifacts(machine.instance.client("s3"))
    machine.instance.client("cloudformation").create_stack(TemplateBody=TEMPLATE, **given("one.zip"))
    machine.again(end)
    settled(machine, "stack_create_complete")
    made = outputs(machine)
    assert (made["Emptier"], made["Sentence"]) == ("emptier-of-birds-01-01-pictures", "Code one.zip")
    assert invoke(machine, made["EndpointName"]).count(b",") == 58
    put(machine, "birds/king-penguin.jpg", "king-penguin.jpg")
    machine.again(end)
    told = "birds> Bird [birds/king-penguin.jpg] is a: King Penguin(0.98)"
    phones.wait(lambda text: text.fields["message"] == told and text.phone == PHONE, timeout=60)

    machine.instance.client("cloudformation").update_stack(UsePreviousTemplate=True, **given("two.zip"))
    machine.again(end)
    settled(machine, "stack_update_complete")
    assert outputs(machine) == made | {"Sentence": "Code two.zip"}
    put(machine, "birds/again.jpg", "king-penguin.jpg")
    told = "birds> Bird [birds/again.jpg] is surely a: King Penguin(0.98)"
    phones.wait(lambda text: text.fields["message"] == told, timeout=60)

    machine.instance.client("cloudformation").delete_stack(StackName=STACK)
    machine.again(end)
    settled(machine, "stack_delete_complete")
    with pytest.raises(ClientError, match=rf"Endpoint {made['EndpointName']} of account 000000000000 not found\."):
        invoke(machine, made["EndpointName"])
    clean_up(machine)
    assert left(machine.instance) == {}


def clean_up(machine: Machine) -> None:
    """What a stack leaves on AWS too: what it was made from, and the logs of its functions."""
    s3, logs = machine.instance.client("s3"), machine.instance.client("logs")
    assert set(left(machine.instance)) == {"s3api list-buckets", "logs describe-log-groups"}
    for found in s3.list_objects_v2(Bucket=ARTIFACTS)["Contents"]:
        s3.delete_object(Bucket=ARTIFACTS, Key=found["Key"])
    s3.delete_bucket(Bucket=ARTIFACTS)
    for group in logs.describe_log_groups()["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])
