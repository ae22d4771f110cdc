"""botocore as the oracle, both ways, over every operation of the services: what it writes we read, what we write it
reads. Older clients that speak query to SQS and CloudWatch are asked as well."""

from __future__ import annotations

import copy
import io
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.errorfactory import ClientExceptionsFactory
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from alight.calls import Members
from alight.errors import Fault
from alight.gateway.models import Operation
from alight.gateway.request import Request, read_request
from alight.gateway.route import SERVICES, Match, Miss, Pending, Router
from alight.gateway.sqs_query import ENTRIES, patch_sqs
from alight.gateway.wire import decode, encode, encode_error, parse_form
from tests.wire.inputs import Generator

ROUNDS = 6
#: Service and protocol; SQS and CloudWatch are spoken to in two.
SPOKEN = [
    ("s3", "rest-xml"),
    ("lambda", "rest-json"),
    ("sagemaker", "json"),
    ("sagemaker-runtime", "rest-json"),
    ("sns", "query"),
    ("sqs", "json"),
    ("sqs", "query"),
    ("logs", "json"),
    ("cloudwatch", "json"),
    ("cloudwatch", "query"),
    ("iam", "query"),
    ("sts", "query"),
    ("apigateway", "rest-json"),
    ("apigatewayv2", "rest-json"),
]
#: Told apart by a host name of AWS's own, not by anything in the request.
BY_HOST = {("s3", "ListDirectoryBuckets"), ("s3", "WriteGetObjectResponse")}
#: boto3 reads this reply with a handler of its own (see test_boto3).
OWN_READER = {("s3", "GetBucketLocation")}


@cache
def client_model(service: str, protocol: str) -> ServiceModel:
    """The model that a client of that protocol has; SQS's of before November 2023 has the names on the members."""
    data = copy.deepcopy(Loader().load_service_model(service, "service-2"))
    data["metadata"]["protocol"] = protocol
    if (service, protocol) == ("sqs", "query"):
        patch_sqs(data)
        for name, operation in data["operations"].items():
            if "output" in operation:
                operation["output"]["resultWrapper"] = f"{name}Result"
        for shape in data["shapes"].values():
            for member in shape.get("members", {}).values():
                if member["shape"] in ENTRIES:
                    member["locationName"] = member.pop("queryName")
    return ServiceModel(data, service)


@pytest.fixture(scope="module")
def router() -> Router:
    return Router()


def operations(service: str, protocol: str) -> Iterator[OperationModel]:
    model = client_model(service, protocol)
    for name in model.operation_names:
        operation = model.operation_model(name)
        if not operation.deprecated and (service, name) not in BY_HOST:
            yield operation


def has_events(shape: Shape | None) -> bool:
    return shape is not None and any(item.serialization.get("eventstream") for item in shape.members.values())


def sent(service: str, protocol: str, operation: OperationModel, given: Members) -> tuple[Request, bytes]:
    """What botocore would send, as we would get it (with a scope, for routing; signatures are tested elsewhere)."""
    written = create_serializer(protocol, include_validation=False).serialize_to_request(given, operation)
    prepare_request_dict(written, "http://127.0.0.1:4566", user_agent="oracle")
    prepared = create_request_object(written).prepare()
    url = urlsplit(prepared.url)
    headers = [
        (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode())
        for name, value in prepared.headers.items()
    ]
    scope = f"AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/{SERVICES[service].signing}/aws4_request"
    headers += [(b"host", b"127.0.0.1:4566"), (b"authorization", scope.encode())]
    request = read_request(
        {
            "method": prepared.method,
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
    )
    body = prepared.body or b""
    body = body.read() if hasattr(body, "read") else body
    return request, body.encode() if isinstance(body, str) else body


def understood(router: Router, request: Request, body: bytes) -> Match:
    found = router.match(request)
    if isinstance(found, Pending):
        found = found.match(dict(parse_form(body))["Action"])
    if isinstance(found, Miss):
        raise AssertionError(f"not routed: {found.fault}")
    return found


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
def test_what_botocore_writes_is_read(service: str, protocol: str, router: Router) -> None:
    wrong: list[Any] = []
    for operation in operations(service, protocol):
        for number in range(ROUNDS):
            shape = operation.input_shape
            given = Generator(f"{operation.name}{number}").members(shape) if shape else {}
            request, body = sent(service, protocol, operation, given)
            match = understood(router, request, body)
            if match.operation.name != operation.name:
                wrong.append((operation.name, "routed to", match.operation.name))
                continue
            read = decode(match, request, body)
            if without_extras(operation, read, given) != given:
                wrong.append((operation.name, given, read))
    assert wrong == []


def without_extras(operation: OperationModel, read: Members, given: Members) -> Members:
    """HTTP's own headers (content type and length) are members in some models, given or not; botocore writes a
    JSON payload that was not given as an empty object."""
    shape = operation.input_shape
    payload = shape.serialization.get("payload") if shape else None
    if payload and payload not in given and read.get(payload) == {}:
        read = {name: value for name, value in read.items() if name != payload}
    own = {
        name
        for name, member in (shape.members.items() if shape else ())
        if member.serialization.get("name", "").lower() in ("content-type", "content-length", "x-amz-content-sha256")
    }
    return {name: value for name, value in read.items() if name in given or name not in own}


def parsed(protocol: str, shape: Shape | None, response: Any) -> Members:
    body = response.body
    assert isinstance(body, bytes)
    payload = shape.members.get(shape.serialization.get("payload", "")) if shape else None
    if payload is not None and payload.type_name == "blob":
        body = io.BytesIO(body)
    headers = {}
    for name, value in response.headers:
        headers[name.decode()] = value.decode()
    answer = {"status_code": response.status, "headers": Lowered(headers), "body": body}
    result: Members = create_parser(protocol).parse(answer, shape)
    result.pop("ResponseMetadata", None)
    return {name: value.read() if isinstance(value, io.BytesIO) else value for name, value in result.items()}


class Lowered(dict[str, str]):
    """Headers as clients see them: found under any case."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
def test_what_we_write_botocore_reads(service: str, protocol: str, router: Router) -> None:
    wrong: list[Any] = []
    for operation in operations(service, protocol):
        shape = operation.output_shape
        if has_events(shape) or (service, operation.name) in OWN_READER:
            continue
        ours = router.service(service).operation(operation.name)
        assert ours is not None
        match = Match(router.service(service), ours, protocol, {}, "application/x-amz-json-1.0")
        for number in range(ROUNDS):
            reply = with_ok_status(ours, Generator(f"{operation.name}{number}").members(shape) if shape else {})
            read = parsed(protocol, shape, encode(match, reply, "request-id"))
            if as_sent(shape, read) != as_sent(shape, reply):
                wrong.append((operation.name, reply, read))
    assert wrong == []


def with_ok_status(operation: Operation, reply: Members) -> Members:
    """botocore takes any status from 301 on for an error."""
    status = operation.outputs.status
    payload = operation.outputs.payload
    if payload and operation.outputs.is_blob and "ContentLength" in reply:
        reply["ContentLength"] = len(reply.get(payload.member, b""))
    return {**reply, status.member: 200} if status else reply


def as_sent(shape: Shape | None, members: Members) -> Members:
    """An empty payload and an absent one are the same on the wire."""
    kept = {name: value for name, value in members.items() if value not in (b"", "", {})}
    if shape is not None:
        for name, member in shape.members.items():
            if member.serialization.get("name", "").lower() in ("content-length", "content-type"):
                kept.pop(name, None)
    return kept


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
def test_every_modelled_error_becomes_its_class(service: str, protocol: str, router: Router) -> None:
    model = client_model(service, protocol)
    exceptions = ClientExceptionsFactory().create_client_exceptions(model)
    codes = Counter(shape.error_code for shape in model.error_shapes)
    shared = {code for code, count in codes.items() if count > 1}
    wrong: list[Any] = []
    for shape in model.error_shapes:
        members = {name: value for name, value in Generator(shape.name).members(shape).items() if name != "Type"}
        message = next((value for name, value in members.items() if name.lower() == "message"), "because <&>")
        rest = {name: value for name, value in members.items() if name.lower() != "message"}
        status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
        kind: Any = type(shape.name, (Fault,), {"status": status if status >= 400 else 400})
        response = encode_error(router.service(service), protocol, kind(message, **rest), "request-id", "/b/k")
        read = parsed(protocol, None, response) | parsed(protocol, shape, response)
        # As botocore's client does: SQS's classes go by the shape's name, all others by the code.
        code = read["Error"]["QueryErrorCode" if (service, protocol) == ("sqs", "json") else "Code"]
        found = exceptions.from_code(code).__name__
        if (found != shape.name and code not in shared) or read["Error"]["Message"] != message:
            wrong.append((shape.name, found, read))
        elif any(read.get(name) != value for name, value in rest.items() if isinstance(value, int | str)):
            wrong.append((shape.name, rest, read))
    assert wrong == []


def test_the_services_table_says_what_the_models_say(router: Router) -> None:
    for name, names in SERVICES.items():
        service = router.service(name)
        assert names.signing == service.signing_name
        assert service.endpoint_prefix in names.hosts
        assert names.target == service.target_prefix
