"""Alight, started on a fresh folder with a template: its address, its keys, its process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BIRDS, SENTIMENT = EXAMPLES / "birds", EXAMPLES / "sentiment"
ALIGHT = Path(sys.executable).parent / "alight"

#: An endpoint and nothing else; beside it lies `model.tar.gz`.
ENDPOINT = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  ModelRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: sagemaker.amazonaws.com}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"]
  Model:
    Type: AWS::SageMaker::Model
    Properties:
      ExecutionRoleArn: !GetAtt ModelRole.Arn
      PrimaryContainer: {Image: any, ModelDataUrl: model.tar.gz, Environment: {ALIGHT_MODEL_FORMAT: SERVED_AS}}
  Serving:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants:
        - {VariantName: all, ModelName: !GetAtt Model.ModelName, InstanceType: ml.m5.large, InitialInstanceCount: 1}
  Endpoint:
    Type: AWS::SageMaker::Endpoint
    Properties: {EndpointName: measured, EndpointConfigName: !GetAtt Serving.EndpointConfigName}
"""
INVOCATIONS = "/endpoints/measured/invocations"


def signed(url: str, env: Mapping[str, str], method: str, path: str, service: str, body: bytes, **more: str) -> bytes:
    """A request's head, as an SDK that sends little else would write it."""
    request = AWSRequest(method, f"{url}{path}", headers={"Content-Length": str(len(body)), **more})
    request.data = body
    request.headers["Host"] = url.split("//")[1]
    keys = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(keys, service, env["AWS_DEFAULT_REGION"]).add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items()), "", ""]
    return "\r\n".join(lines).encode()


@dataclass(frozen=True)
class Instance:
    """A running Alight."""

    env: dict[str, str]
    outputs: dict[str, str]
    pid: int

    @property
    def url(self) -> str:
        return self.env["AWS_ENDPOINT_URL"]

    def signed(self, method: str, path: str, service: str, body: bytes, **more: str) -> bytes:
        return signed(self.url, self.env, method, path, service, body, **more)

    def client(self, service: str, **config: Any) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=self.env["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"], config=Config(**config),
        )  # fmt: skip


def app(folder: Path, template: str, model: Path | None = None) -> Path:
    """A folder with this template, and the model beside it."""
    folder.mkdir()
    (folder / "template.yaml").write_text(template)
    if model is not None:
        (folder / "model.tar.gz").symlink_to(model)
    return folder


@contextmanager
def running(folder: Path, template: Path, **settings: str) -> Iterator[Instance]:
    """`alight up TEMPLATE` on `folder`/data, which may be there already; `settings` as ALIGHT_*."""
    data = folder / "data"
    with (folder / "alight.log").open("w") as log:
        process = subprocess.Popen(
            [ALIGHT, "up", template, "--port", "0", "--data", data],
            stdout=subprocess.PIPE, stderr=log, text=True, env={"PATH": "/usr/bin:/bin"} | settings,
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            if not any(line.startswith("Alight ready at") for line in process.stdout):
                raise RuntimeError((folder / "alight.log").read_text()[-2000:])
            yield Instance(_told("env", data), _told("outputs", data), process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _told(word: str, data: Path) -> dict[str, str]:
    answer = subprocess.run([ALIGHT, word, "--json", "--data", data], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(answer.stdout)
    return found
