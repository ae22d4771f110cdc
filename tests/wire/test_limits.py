"""What is too large is told in AWS's words, which boto3 reads: heads, addresses, bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from alight.calls import Call, Members
from tests.wire.served import client, gateway, served

MEGABYTE = 1024 * 1024


async def answer(call: Call, given: Members) -> Members:
    return {"StatusCode": 200, "Payload": b"{}"} if call.service == "lambda" else {}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    names = [("s3", "ListObjectsV2"), ("s3", "DeleteObjects"), ("lambda", "Invoke"), ("lambda", "UpdateFunctionCode"),
             ("sns", "Publish"), ("sqs", "SendMessage"), ("sts", "GetCallerIdentity")]  # fmt: skip
    with served(gateway(dict.fromkeys(names, answer))) as port:
        yield port


def refusal(call: Any, **given: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("Error", {}).get("Code", "")


def with_header(service: str, port: int, size: int) -> Any:
    made = client(service, port)
    made.meta.events.register("before-sign.*.*", lambda request, **_: request.headers.add_header("x-long", "x" * size))
    return made


@pytest.mark.parametrize("service", ["s3", "lambda", "sqs", "sts"])
def test_a_head_that_is_too_large(service: str, port: int) -> None:
    """10,240 bytes are AWS's limit for API Gateway, and larger than S3's. Nobody knows yet which service was meant."""
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "s3": ("list_objects_v2", {"Bucket": "pics"}),
        "lambda": ("invoke", {"FunctionName": "f"}),
        "sqs": ("send_message", {"QueueUrl": "q", "MessageBody": "b"}),
        "sts": ("get_caller_identity", {}),
    }
    operation, given = asked[service]
    answer = getattr(with_header(service, port, 8_000), operation)(**given)
    if "Payload" in answer:
        answer["Payload"].read()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    status, code = refusal(getattr(with_header(service, port, 10_300), operation), **given)
    assert status == 431
    assert service != "s3" or code == "RequestHeaderSectionTooLarge"


def test_an_address_that_is_too_long(port: int) -> None:
    list_objects = client("s3", port).list_objects_v2
    assert refusal(list_objects, Bucket="pics", Prefix="x" * 8_300) == (414, "RequestURITooLong")


def test_payloads_of_functions(port: int) -> None:
    functions = client("lambda", port)
    functions.invoke(FunctionName="f", Payload=b"1" * (6 * MEGABYTE))["Payload"].read()
    assert refusal(functions.invoke, FunctionName="f", Payload=b"1" * (6 * MEGABYTE + 1)) == (
        413, "RequestTooLargeException",
    )  # fmt: skip
    code = b"x" * (20 * MEGABYTE)
    assert functions.update_function_code(FunctionName="f", ZipFile=code)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("service", "operation", "given", "code"),
    [
        ("sns", "publish", {"TopicArn": "t", "Message": "m" * (11 * MEGABYTE)}, "RequestEntityTooLarge"),
        (
            "sqs",
            "send_message",
            {"QueueUrl": "q", "MessageBody": "m" * (11 * MEGABYTE)},
            "RequestEntityTooLargeException",
        ),
        (
            "s3",
            "delete_objects",
            {"Bucket": "pics", "Delete": {"Objects": [{"Key": "k" * 1_000} for _ in range(11_000)]}},
            "EntityTooLarge",
        ),
    ],
)
def test_bodies(service: str, operation: str, given: dict[str, Any], code: str, port: int) -> None:
    status, found = refusal(getattr(client(service, port), operation), **given)
    assert (status, found) == (413, code)
