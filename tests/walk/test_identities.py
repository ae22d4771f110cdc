"""Roles, users and keys with real clients on a whole Alight: who is refused, with which words, and who is let in."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, start_alight, sweep

ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("identities") / "data")
    yield started
    sweep(started.process)


def trust(**principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def package() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context): return event")
    return archive.getvalue()


def refused(code: str, ask: Callable[..., Any], **given: Any) -> str:
    """The message of the refusal."""
    with pytest.raises(ClientError) as error:
        ask(**given)
    assert error.value.response["Error"]["Code"] == code, error.value
    return str(error.value.response["Error"]["Message"])


def test_roles_that_are_not_there_or_do_not_trust_the_service(instance: Instance) -> None:
    iam, functions, sagemaker = (instance.client(name) for name in ("iam", "lambda", "sagemaker"))
    sagemakers = iam.create_role(
        RoleName="models", Path="/service-role/", AssumeRolePolicyDocument=trust(Service="sagemaker.amazonaws.com")
    )["Role"]["Arn"]
    new = {"FunctionName": "f", "Runtime": "python3.11", "Handler": "app.handler", "Code": {"ZipFile": package()}}
    invalid, sentence = (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    nobody = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    for role in (nobody, sagemakers, f"arn:aws:iam::{ACCOUNT}:role/models", "arn:aws:iam::123456789012:role/models"):
        assert refused(invalid, functions.create_function, **new, Role=role).startswith(sentence)
    assert "aws iam create-role --role-name nobody" in refused(invalid, functions.create_function, **new, Role=nobody)
    role = iam.create_role(RoleName="nobody", AssumeRolePolicyDocument=trust(Service="lambda.amazonaws.com"))["Role"]
    assert functions.create_function(**new, Role=role["Arn"])["Role"] == nobody
    change = functions.update_function_configuration
    assert refused(invalid, change, FunctionName="f", Role=sagemakers).startswith(sentence)
    iam.update_assume_role_policy(
        RoleName="models", PolicyDocument=trust(Service=["lambda.amazonaws.com", "sagemaker.amazonaws.com"])
    )
    assert change(FunctionName="f", Role=sagemakers)["Role"] == sagemakers
    container = {"Image": "any", "ModelDataUrl": "s3://models/m.tar.gz"}
    given: Any = {"ModelName": "m", "PrimaryContainer": container}
    said = refused("ValidationException", sagemaker.create_model, **given, ExecutionRoleArn=nobody)
    assert said.startswith(
        f"Could not assume role {nobody}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )
    said = refused("ValidationException", sagemaker.create_model, **given, ExecutionRoleArn=sagemakers)
    assert said == "Could not find model data at s3://models/m.tar.gz."
