"""Small functions and endpoints of a test's own making, and the processes that an instance has."""

from __future__ import annotations

import io
import json
import os
import tarfile
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alight.cli.instance import open_door
from tests.support import Instance, eventually

ROLE = "tester"


def make_role(instance: Instance) -> None:
    """The role of every function and model below; it may do everything."""
    services = ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = instance.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    iam.put_role_policy(
        RoleName=ROLE, PolicyName="everything", PolicyDocument=json.dumps({"Statement": [everything]})
    )  # fmt: skip


def make_function(instance: Instance, name: str, code: str, timeout: int = 30, **variables: str) -> str:
    """A function whose `handler` stands in `code`; its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", code)
    made = instance.client("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Role=f"arn:aws:iam::000000000000:role/{ROLE}", Handler="app.handler",
        Code={"ZipFile": archive.getvalue()}, Timeout=timeout, MemorySize=256, Environment={"Variables": variables},
    )  # fmt: skip
    return str(made["FunctionArn"])


def open_queue(sqs: Any, name: str, **attributes: str) -> str:
    """A queue that lets S3 and SNS in; its URL."""
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    policy = policy_for(arn, "sqs:SendMessage", "s3.amazonaws.com", "sns.amazonaws.com")
    return str(sqs.create_queue(QueueName=name, Attributes={"Policy": policy, **attributes})["QueueUrl"])


def policy_for(resource: str, action: str, *services: str, source: str = "*") -> str:
    """The policy of a topic or queue that lets these services of AWS in, on behalf of `source` (an ARN)."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def let_in(instance: Instance, function: str, service: str, source: str) -> None:
    """`service` (`s3`, `sns`) may invoke the function for this source, an ARN."""
    instance.client("lambda").add_permission(
        FunctionName=function, StatementId=f"{service}-{uuid.uuid4().hex}", Action="lambda:InvokeFunction",
        Principal=f"{service}.amazonaws.com", SourceArn=source,
    )  # fmt: skip


def make_endpoint(instance: Instance, name: str, code: str, replicas: int, **environment: str) -> None:
    """An endpoint in service whose `code/inference.py` is `code`."""
    made = make_packed_endpoint(instance, name, {"code/inference.py": code.encode()}, replicas, **environment)
    assert made["EndpointStatus"] == "InService", made["FailureReason"]


def make_packed_endpoint(
    instance: Instance, name: str, files: Mapping[str, bytes], replicas: int, **environment: str
) -> dict[str, Any]:
    """An endpoint of a model package that holds these files; how it is described once it is in service, or failed."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    s3, sagemaker = instance.client("s3"), instance.client("sagemaker")
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key=f"{name}.tar.gz", Body=archive.getvalue())
    container = {"Image": "any", "ModelDataUrl": f"s3://models/{name}.tar.gz", "Environment": environment}
    sagemaker.create_model(
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn=f"arn:aws:iam::000000000000:role/{ROLE}"
    )
    variant = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": replicas}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant | {"InstanceType": "ml.t2.medium"}]
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def settled() -> dict[str, Any] | None:
        found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
        return None if found["EndpointStatus"] == "Creating" else found

    made: dict[str, Any] = eventually(settled, what="the endpoint")
    return made


def events(instance: Instance, state: str = "", limit: int = 1000) -> list[dict[str, Any]]:
    """The newest events, as the admin door lists them."""
    query = {"state": state} if state else {}
    found: list[dict[str, Any]] = open_door(instance.data).get("events", limit=limit, **query)["events"]
    return found


def books(instance: Instance) -> dict[str, Any]:
    found: dict[str, Any] = open_door(instance.data).get("books")
    return found


def processes_of(data: Path) -> dict[int, str]:
    """Every process that has the data folder in its command line or environment, by pid, with its command line."""
    needle, found = str(data).encode(), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        words = [_read(entry / "cmdline"), _read(entry / "environ")]
        if any(needle in part for part in words):
            found[int(entry.name)] = words[0].replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def state_of(pid: int) -> str:
    """R, S, T ... as ps shows it; empty where there is no such process."""
    return _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].strip()[:1].decode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""
