"""Unmodified boto3 against a served Gateway with tiny handlers: what clients see, not what we think they see."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import urllib.request
import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
import pytest
from botocore.awsrequest import AWSRequest

from alight.calls import Call, Members
from alight.errors import Fault
from alight.errors.common import AccessDenied
from tests.support import invoke
from tests.wire.served import ACCESS_KEY, ROOT, client, gateway, served


class NoSuchKey(Fault):
    """The specified key does not exist."""

    status = 404


class NotFound(Fault):
    """Topic does not exist"""

    status = 404


class QueueDoesNotExist(Fault):
    """The specified queue does not exist."""

    status = 400


class ModelError(Fault):
    """The model failed."""

    status = 424


class ResourceNotFoundException(Fault):
    """Function not found"""

    status = 404


class NoSuchEntity(Fault):
    """No such role."""

    status = 404


class Services:
    """One object store and a few doors, in memory."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], tuple[bytes, Members]] = {}
        self.calls: list[tuple[Call, Members]] = []
        self.trailers: dict[str, str] = {}

    def operations(self) -> dict[tuple[str, str], Any]:
        return {
            ("s3", "PutObject"): self.put_object,
            ("s3", "UploadPart"): self.put_object,
            ("s3", "GetObject"): self.get_object,
            ("s3", "HeadObject"): self.head_object,
            ("s3", "DeleteObject"): self.delete_object,
            ("s3", "DeleteObjects"): self.delete_objects,
            ("s3", "ListObjectsV2"): self.list_objects,
            ("s3", "GetBucketLocation"): self.get_bucket_location,
            ("s3", "ListBuckets"): self.fail,
            ("sns", "Publish"): self.publish,
            ("sns", "ConfirmSubscription"): self.confirm,
            ("sqs", "SendMessage"): self.send_message,
            ("sqs", "ReceiveMessage"): self.receive_message,
            ("sqs", "GetQueueUrl"): self.get_queue_url,
            ("lambda", "Invoke"): self.invoke,
            ("lambda", "GetFunction"): self.get_function,
            ("sagemaker-runtime", "InvokeEndpoint"): self.invoke_endpoint,
            ("logs", "PutLogEvents"): self.put_log_events,
            ("cloudwatch", "PutMetricData"): self.keep,
            ("iam", "GetRole"): self.get_role,
            ("sts", "GetCallerIdentity"): self.get_caller_identity,
        }

    async def put_object(self, call: Call, given: Members) -> Members:
        stream = given["Body"]
        content = b"".join([piece async for piece in stream])
        self.trailers = dict(stream.trailers)
        self.calls.append((call, given))
        self.objects[given["Bucket"], given["Key"]] = (content, given)
        return {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}

    async def get_object(self, call: Call, given: Members) -> Members:
        content, stored = self._object(given)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 60_000):
                yield content[start : start + 60_000]

        reply = {**self._head(content, stored), "Body": pieces()}
        if "Range" in given:
            reply |= {"Body": content[2:5], "ContentLength": 3, "ContentRange": f"bytes 2-4/{len(content)}"}
            reply["ResponseMetadata"] = {"HTTPStatusCode": 206}
        if given.get("IfNoneMatch"):
            return {"ETag": given["IfNoneMatch"], "ResponseMetadata": {"HTTPStatusCode": 304}}
        return reply

    async def head_object(self, call: Call, given: Members) -> Members:
        return self._head(*self._object(given))

    def _object(self, given: Members) -> tuple[bytes, Members]:
        found = self.objects.get((given["Bucket"], given["Key"]))
        if found is None:
            raise NoSuchKey(Key=given["Key"])
        return found

    def _head(self, content: bytes, stored: Members) -> Members:
        return {
            "ContentLength": len(content),
            "ContentType": stored.get("ContentType", "binary/octet-stream"),
            "ContentEncoding": stored.get("ContentEncoding"),
            "LastModified": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "Metadata": stored.get("Metadata", {}),
        }

    async def delete_object(self, call: Call, given: Members) -> Members:
        self.objects.pop((given["Bucket"], given["Key"]), None)
        return {}

    async def delete_objects(self, call: Call, given: Members) -> Members:
        return {"Deleted": [{"Key": item["Key"]} for item in given["Delete"]["Objects"]]}

    async def list_objects(self, call: Call, given: Members) -> Members:
        keys = [{"Key": key, "Size": len(body[0])} for (_, key), body in self.objects.items()]
        return {"Name": given["Bucket"], "Prefix": given.get("Prefix", ""), "Contents": keys, "IsTruncated": False}

    async def get_bucket_location(self, call: Call, given: Members) -> Members:
        return {"LocationConstraint": "eu-west-1" if given["Bucket"] == "far" else ""}

    async def fail(self, call: Call, given: Members) -> Members:
        raise ZeroDivisionError("a secret detail")

    async def publish(self, call: Call, given: Members) -> Members:
        self.calls.append((call, given))
        if given.get("TopicArn", "").endswith(":missing"):
            raise NotFound
        return {"MessageId": "m-1"}

    async def confirm(self, call: Call, given: Members) -> Members:
        self.calls.append((call, given))
        return {"SubscriptionArn": "arn:confirmed"}

    async def send_message(self, call: Call, given: Members) -> Members:
        self.calls.append((call, given))
        return {"MessageId": "q-1", "MD5OfMessageBody": hashlib.md5(given["MessageBody"].encode()).hexdigest()}

    async def receive_message(self, call: Call, given: Members) -> Members:
        body = "<&> ü"
        message = {"MessageId": "1", "ReceiptHandle": "r", "Body": body, "Attributes": {"SenderId": "s"}}
        return {"Messages": [{**message, "MD5OfBody": hashlib.md5(body.encode()).hexdigest()}]}

    async def get_queue_url(self, call: Call, given: Members) -> Members:
        raise QueueDoesNotExist

    async def invoke(self, call: Call, given: Members) -> Members:
        status = 202 if given.get("InvocationType") == "Event" else 200
        return {"StatusCode": status, "Payload": given.get("Payload", b"null"), "ExecutedVersion": "$LATEST"}

    async def get_function(self, call: Call, given: Members) -> Members:
        raise ResourceNotFoundException(f"Function not found: {given['FunctionName']}", Type="User")

    async def invoke_endpoint(self, call: Call, given: Members) -> Members:
        if given["EndpointName"] == "broken":
            raise ModelError(OriginalStatusCode=500, OriginalMessage="no", LogStreamArn="arn:log")
        return {"Body": given["Body"][::-1], "ContentType": given.get("Accept", "application/json")}

    async def put_log_events(self, call: Call, given: Members) -> Members:
        self.calls.append((call, given))
        return {"nextSequenceToken": "1"}

    async def keep(self, call: Call, given: Members) -> Members:
        self.calls.append((call, given))
        return {}

    async def get_role(self, call: Call, given: Members) -> Members:
        raise NoSuchEntity

    async def get_caller_identity(self, call: Call, given: Members) -> Members:
        return {"Arn": call.principal.arn, "Account": "000000000000", "UserId": call.principal.user_id}


@pytest.fixture(scope="module")
def services() -> Services:
    return Services()


@pytest.fixture(scope="module")
def port(services: Services) -> Iterator[int]:
    with served(gateway(services.operations())) as port:
        yield port


@pytest.fixture(scope="module")
def s3(port: int) -> Any:
    return client("s3", port)


SESSION = {"access_key": "ASIASESSION", "secret_key": "session-secret", "aws_session_token": "session-token"}
KEYS = [
    "birds/card.jpg",
    "a b/ü+€.jpg",
    "%2F",
    "a%b?c#d&e=f",
    "x//y/../z/./",
    "/lead",
    "//",
    "trail/",
    "..",
    ".hidden",
    "~(tilde)!*'",
    "日本語/鳥.jpg",
    "tab\tnewline\nend",
    "k" * 1024,
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_survives_as_it_is(s3: Any, services: Services, key: str) -> None:
    s3.put_object(Bucket="pics", Key=key, Body=b"one")
    assert ("pics", key) in services.objects
    assert s3.get_object(Bucket="pics", Key=key)["Body"].read() == b"one"
    assert s3.head_object(Bucket="pics", Key=key)["ContentLength"] == 3


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_bodies_travel_both_ways(s3: Any, services: Services, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    s3.put_object(Bucket="pics", Key="body", Body=content, Metadata={"who": "me"}, ContentType="image/jpeg")
    reply = s3.get_object(Bucket="pics", Key="body")
    assert reply["Body"].read() == content
    assert (reply["ContentType"], reply["Metadata"]) == ("image/jpeg", {"who": "me"})
    assert reply["LastModified"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = services.calls[-1][1]
    assert given["ContentLength"] == size


def test_a_stream_of_unknown_kind_is_uploaded(s3: Any, services: Services) -> None:
    s3.upload_fileobj(io.BytesIO(b"from a file" * 1000), "pics", "file")
    assert services.objects["pics", "file"][0] == b"from a file" * 1000


def test_ranges_and_conditions(s3: Any) -> None:
    s3.put_object(Bucket="pics", Key="r", Body=b"0123456789")
    reply = s3.get_object(Bucket="pics", Key="r", Range="bytes=2-4")
    assert (reply["Body"].read(), reply["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 206
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket="pics", Key="r", IfNoneMatch='"x"')
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304


def test_errors_of_s3(s3: Any) -> None:
    with pytest.raises(s3.exceptions.NoSuchKey) as caught:
        s3.get_object(Bucket="pics", Key="none at all")
    error = caught.value.response
    assert error["Error"]["Key"] == "none at all"
    assert error["Error"]["Resource"] == "/pics/none%20at%20all"
    assert error["ResponseMetadata"]["RequestId"]
    assert error["ResponseMetadata"]["HostId"]
    with pytest.raises(botocore.exceptions.ClientError) as missing:
        s3.head_object(Bucket="pics", Key="none at all")
    assert missing.value.response["Error"]["Code"] == "404"


def test_s3_in_xml(s3: Any) -> None:
    assert s3.get_bucket_location(Bucket="pics")["LocationConstraint"] is None
    assert s3.get_bucket_location(Bucket="far")["LocationConstraint"] == "eu-west-1"
    reply = s3.delete_objects(Bucket="pics", Delete={"Objects": [{"Key": "a<&>b"}, {"Key": "ü\r\n"}]})
    assert [item["Key"] for item in reply["Deleted"]] == ["a<&>b", "ü\r\n"]
    assert s3.delete_object(Bucket="pics", Key="x")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.list_objects_v2(Bucket="pics", Prefix="a+b c")["Prefix"] == "a+b c"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_presigned_links(
    port: int, services: Services, monkeypatch: pytest.MonkeyPatch, version: str, session: bool, style: str
) -> None:
    resolve_to_loopback(monkeypatch)
    config = {"signature_version": version, "s3": {"addressing_style": style}}
    keys = SESSION if session else {}
    s3 = client("s3", port, endpoint_url=f"http://localhost:{port}", config=config, **keys)
    link = s3.generate_presigned_url("put_object", {"Bucket": "pics", "Key": "é /+"}, ExpiresIn=60)
    request = urllib.request.Request(link, data=b"by link", method="PUT", headers={"Content-Type": ""})
    assert urllib.request.urlopen(request).status == 200
    link = s3.generate_presigned_url("get_object", {"Bucket": "pics", "Key": "é /+"}, ExpiresIn=60)
    assert urllib.request.urlopen(link).read() == b"by link"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(link.replace("/%C3%A9", "/%C3%A8"))
    with caught.value as refused:
        assert refused.code == 403
        assert b"SignatureDoesNotMatch" in refused.read()


def test_virtual_host_style(port: int, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def at(style: str, host: str) -> Any:
        return client("s3", port, endpoint_url=f"http://{host}:{port}", config={"s3": {"addressing_style": style}})

    resolve_to_loopback(monkeypatch)
    for host in ("localhost", "s3.localhost", "s3.us-east-1.localhost"):
        at("virtual", host).put_object(Bucket="pics", Key="/v//h", Body=host.encode())
        assert services.objects["pics", "/v//h"][0] == host.encode()
        assert services.calls[-1][0].base_url == f"http://localhost:{port}"


def resolve_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names under localhost do not resolve everywhere."""
    import socket

    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: found("127.0.0.1", *rest, **more))


TRAILER = {"request_checksum_calculation": "when_supported"}


def test_an_unsigned_trailer(s3: Any, services: Services) -> None:
    """What boto3 sends over https: here made by hand, since plain http gets a header instead."""
    content = b"trailing" * 10_000
    checksum = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    frames = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(content), content, checksum.encode())
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(content)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked,gzip",
    }
    signed = AWSRequest("PUT", f"{s3.meta.endpoint_url}/pics/trailer", headers=headers, data=frames)
    sign(s3, signed)
    assert urllib.request.urlopen(plain(signed)).status == 200
    stored, given = services.objects["pics", "trailer"]
    assert stored == content
    assert services.trailers == {"x-amz-checksum-crc32": checksum}
    assert (given["ContentEncoding"], given["ContentLength"]) == ("gzip", len(content))


def sign(client: Any, request: AWSRequest) -> None:
    """botocore's own signer; it leaves a payload hash alone that stands in the headers."""
    from botocore.auth import S3SigV4Auth

    class Signer(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: AWSRequest) -> str:
            return str(request.headers["x-amz-content-sha256"])

        def _modify_request_before_signing(self, request: AWSRequest) -> None:
            said = request.headers["x-amz-content-sha256"]
            super()._modify_request_before_signing(request)
            del request.headers["x-amz-content-sha256"]
            request.headers["x-amz-content-sha256"] = said

    Signer(client._request_signer._credentials, "s3", "us-east-1").add_auth(request)


def plain(request: AWSRequest) -> urllib.request.Request:
    return urllib.request.Request(
        request.url, data=request.data, method=request.method, headers=dict(request.headers.items())
    )


def test_sns(port: int, services: Services) -> None:
    sns = client("sns", port)
    attributes = {
        "kind": {"DataType": "String", "StringValue": "ü&="},
        "raw": {"DataType": "Binary", "BinaryValue": b"\0"},
    }
    reply = sns.publish(TopicArn="arn:t", Message="Hello + ü\n", MessageAttributes=attributes)
    assert reply["MessageId"] == "m-1"
    call, given = services.calls[-1]
    assert given == {"TopicArn": "arn:t", "Message": "Hello + ü\n", "MessageAttributes": attributes}
    assert call.principal == ROOT
    with pytest.raises(sns.exceptions.NotFoundException) as caught:
        sns.publish(TopicArn="arn:missing:missing", Message="x")
    assert caught.value.response["Error"] == {"Type": "Sender", "Code": "NotFound", "Message": "Topic does not exist"}
    with pytest.raises(botocore.exceptions.ClientError, match=r"NotImplemented.*sns:ListTopics"):
        sns.list_topics()


def test_confirming_a_subscription_needs_no_signature(port: int, services: Services) -> None:
    link = f"http://127.0.0.1:{port}/?Action=ConfirmSubscription&TopicArn=arn:t&Token=abc"
    assert b"<SubscriptionArn>arn:confirmed</SubscriptionArn>" in urllib.request.urlopen(link).read()
    call, given = services.calls[-1]
    assert (call.principal.kind, given) == ("anonymous", {"TopicArn": "arn:t", "Token": "abc"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/?Action=Publish&TopicArn=arn:t&Message=x")
    with caught.value as refused:
        assert refused.code == 403
        assert b"<Code>MissingAuthenticationToken</Code>" in refused.read()


def test_sqs(port: int, services: Services) -> None:
    sqs = client("sqs", port)
    sqs.send_message(QueueUrl=f"http://127.0.0.1:{port}/000000000000/q", MessageBody="b")
    assert services.calls[-1][1]["MessageBody"] == "b"
    assert sqs.receive_message(QueueUrl="http://q/q")["Messages"][0]["Body"] == "<&> ü"
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="none")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"


def test_lambda(port: int) -> None:
    functions = client("lambda", port)
    name = "arn:aws:lambda:us-east-1:000000000000:function:f:1"
    reply = functions.invoke(FunctionName=name, Payload=b'{"a": [1]}')
    assert json.loads(reply["Payload"].read()) == {"a": [1]}
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "$LATEST")
    assert invoke(functions, FunctionName="f", InvocationType="Event")["StatusCode"] == 202
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Function not found: g"):
        functions.get_function(FunctionName="g")
    with pytest.raises(functions.exceptions.ClientError) as caught:
        functions.invoke(FunctionName="f", Payload=b"x" * (10 * 1024 * 1024 + 1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_sagemaker_runtime(port: int) -> None:
    runtime = client("sagemaker-runtime", port)
    reply = runtime.invoke_endpoint(EndpointName="e", Body=b"\x00\xff", ContentType="application/x-image", Accept="a/b")
    assert (reply["Body"].read(), reply["ContentType"]) == (b"\xff\x00", "a/b")
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName="broken", Body=b"")
    error = caught.value.response
    assert (error["OriginalStatusCode"], error["OriginalMessage"], error["LogStreamArn"]) == (500, "no", "arn:log")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_the_other_services(port: int, services: Services) -> None:
    client("logs", port).put_log_events(
        logGroupName="g", logStreamName="s", logEvents=[{"timestamp": 1, "message": "m"}]
    )
    assert services.calls[-1][1]["logEvents"] == [{"timestamp": 1, "message": "m"}]
    moment = datetime(2026, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)
    metric = {"MetricName": "n", "Value": 1.5, "Timestamp": moment}
    client("cloudwatch", port).put_metric_data(Namespace="N", MetricData=[metric])
    assert services.calls[-1][1] == {"Namespace": "N", "MetricData": [metric]}
    assert client("sts", port).get_caller_identity()["Arn"] == ROOT.arn
    iam = client("iam", port)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="r")


def test_session_tokens(port: int) -> None:
    worker = client("sts", port, **SESSION)
    assert worker.get_caller_identity()["UserId"] == "AROA"
    stale = client("sts", port, access_key="ASIASESSION", secret_key="session-secret", aws_session_token="other")
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidClientTokenId"):
        stale.get_caller_identity()


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "wrong"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        ("sns", "list_topics", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("sqs", "list_queues", "UnrecognizedClientException", "InvalidSignatureException"),
        ("lambda", "list_functions", "UnrecognizedClientException", "InvalidSignatureException"),
        ("sagemaker", "list_models", "UnrecognizedClientException", "InvalidSignatureException"),
    ],
)
def test_refusals_in_the_services_words(port: int, service: str, operation: str, unknown: str, wrong: str) -> None:
    for code, keys in ((unknown, ("AKIAOTHER", "x")), (wrong, (ACCESS_KEY, "x"))):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            getattr(client(service, port, access_key=keys[0], secret_key=keys[1]), operation)()
        assert caught.value.response["Error"]["Code"] == code


def test_what_is_our_own_fault_tells_nothing(s3: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.list_buckets()
    assert caught.value.response["Error"]["Code"] == "InternalError"
    assert "secret detail" not in str(caught.value.response)
    assert "a secret detail" in caplog.text


def test_authorization_comes_before_the_handler() -> None:
    def nobody(call: Call, given: Members) -> None:
        raise AccessDenied(f"no {call.operation} for {given.get('Bucket')}")

    services = Services()
    with served(gateway(services.operations(), authorize=nobody)) as port:
        with pytest.raises(botocore.exceptions.ClientError, match="no PutObject for pics"):
            client("s3", port).put_object(Bucket="pics", Key="k", Body=b"x" * 200_000)
        sns = client("sns", port)
        with pytest.raises(sns.exceptions.AuthorizationErrorException):
            sns.publish(TopicArn="t", Message="m")
    assert services.objects == {}
