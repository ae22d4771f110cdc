"""Which service and operation a request is for, by signature, target, host, path, query and headers."""

from __future__ import annotations

from typing import Any

import pytest

from alight.gateway.request import read_request
from alight.gateway.route import Match, Miss, Pending, Router
from tests.unit.gateway.signing import signed_scope

ROUTER = Router()
ROUTER.warm()


def found(
    method: str,
    url: str,
    *,
    scope: str | None = "s3",
    host: str = "localhost",
    bucket: str | None = None,
    **headers: str,
) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if scope is not None:
        given["authorization"] = f"AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/{scope}/aws4_request, x"
    request = read_request(signed_scope(method, url, b"", place="none", headers=given, host=host))
    return ROUTER.match(request, bucket)


@pytest.mark.parametrize(
    ("method", "url", "operation", "labels"),
    [
        ("GET", "/", "ListBuckets", {}),
        ("GET", "/b", "ListObjects", {"Bucket": "b"}),
        ("GET", "/b/", "ListObjects", {"Bucket": "b"}),
        ("GET", "/b?list-type=2", "ListObjectsV2", {"Bucket": "b"}),
        ("GET", "/b?list-type=1", "ListObjects", {"Bucket": "b"}),
        ("GET", "/b?location", "GetBucketLocation", {"Bucket": "b"}),
        ("GET", "/b?location=", "GetBucketLocation", {"Bucket": "b"}),
        ("GET", "/b?notification", "GetBucketNotificationConfiguration", {"Bucket": "b"}),
        ("GET", "/b?uploads&prefix=x", "ListMultipartUploads", {"Bucket": "b"}),
        ("PUT", "/b", "CreateBucket", {"Bucket": "b"}),
        ("HEAD", "/b", "HeadBucket", {"Bucket": "b"}),
        ("POST", "/b?delete", "DeleteObjects", {"Bucket": "b"}),
        ("PUT", "/b/k", "PutObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k?x-id=PutObject", "PutObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k?uploadId=u", "PutObject", {"Bucket": "b", "Key": "k"}),
        ("POST", "/b/k?uploads", "CreateMultipartUpload", {"Bucket": "b", "Key": "k"}),
        ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/k?uploadId=u", "ListParts", {"Bucket": "b", "Key": "k"}),
        ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload", {"Bucket": "b", "Key": "k"}),
        ("DELETE", "/b/k?versionId=v", "DeleteObject", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/k?acl", "GetObjectAcl", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b//", "GetObject", {"Bucket": "b", "Key": "/"}),
        ("GET", "/b/a%2Fb//c/", "GetObject", {"Bucket": "b", "Key": "a/b//c/"}),
    ],
)
def test_s3(method: str, url: str, operation: str, labels: dict[str, str]) -> None:
    match = found(method, url)
    assert (match.operation.name, match.labels) == (operation, labels)


def test_s3_copies_by_header_and_buckets_by_host() -> None:
    assert found("PUT", "/b/k", x_amz_copy_source="/a/b").operation.name == "CopyObject"
    part = found("PUT", "/b/k?partNumber=1&uploadId=u", x_amz_copy_source="/a/b")
    assert part.operation.name == "UploadPartCopy"
    assert found("GET", "/k/", bucket="b").labels == {"Bucket": "b", "Key": "k/"}
    assert found("GET", "/", bucket="b").operation.name == "ListObjects"
    assert found("GET", "//", bucket="b").labels == {"Bucket": "b", "Key": "/"}


@pytest.mark.parametrize(
    ("method", "url", "status"), [("PATCH", "/b/k", 405), ("POST", "/b", 405), ("PUT", "/", 405), ("GET", "//", 404)]
)
def test_no_such_operation_of_s3(method: str, url: str, status: int) -> None:
    miss = found(method, url)
    assert isinstance(miss, Miss)
    assert (miss.fault.status, miss.protocol) == (status, "rest-xml")


def test_rest_json_by_path() -> None:
    match = found("POST", "/2015-03-31/functions/arn:aws:x%2Fy/invocations", scope="lambda")
    assert (match.operation.name, match.labels) == ("Invoke", {"FunctionName": "arn:aws:x/y"})
    assert found("GET", "/2015-03-31/functions/", scope="lambda").operation.name == "ListFunctions"
    assert found("GET", "/2015-03-31/nothing", scope="lambda").fault.status == 404
    assert found("DELETE", "/2015-03-31/functions/f/invocations", scope="lambda").fault.status == 404


def test_services_that_share_a_signing_name() -> None:
    assert found("POST", "/endpoints/e/invocations", scope="sagemaker").service.name == "sagemaker-runtime"
    model = found("POST", "/", scope="sagemaker", x_amz_target="SageMaker.CreateModel")
    assert (model.service.name, model.operation.name) == ("sagemaker", "CreateModel")


@pytest.mark.parametrize(
    ("method", "url", "service", "operation"),
    [
        ("GET", "/restapis", "apigateway", "GetRestApis"),
        ("POST", "/restapis?mode=import", "apigateway", "ImportRestApi"),
        ("GET", "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fa", "apigateway", "GetTags"),
        ("GET", "/v2/apis", "apigatewayv2", "GetApis"),
        ("PUT", "/v2/apis", "apigatewayv2", "ImportApi"),
        ("GET", "/v2/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2Fa", "apigatewayv2", "GetTags"),
    ],
)
def test_both_gateways_are_told_apart_by_their_paths(method: str, url: str, service: str, operation: str) -> None:
    for scope, host in (("apigateway", "127.0.0.1"), (None, "apigateway.us-east-1.localhost")):
        match = found(method, url, scope=scope, host=host)
        assert (match.service.name, match.operation.name) == (service, operation)


def test_a_path_of_neither_gateway_is_a_miss() -> None:
    miss = found("GET", "/v2/nothing", scope="apigateway")
    assert isinstance(miss, Miss)
    assert (miss.fault.status, miss.protocol) == (404, "rest-json")


def test_json_and_query_of_one_service() -> None:
    match = found(
        "POST", "/", scope="sqs", x_amz_target="AmazonSQS.SendMessage", content_type="application/x-amz-json-1.0"
    )
    assert (match.operation.name, match.protocol, match.content_type) == (
        "SendMessage",
        "json",
        "application/x-amz-json-1.0",
    )
    pending = found("POST", "/000000000000/queue", scope="sqs", content_type="application/x-www-form-urlencoded")
    assert isinstance(pending, Pending)
    chosen = pending.match("SendMessage")
    assert isinstance(chosen, Match)
    assert (chosen.operation.name, chosen.protocol) == ("SendMessage", "query")
    odd = pending.match("Odd")
    assert isinstance(odd, Miss)
    assert odd.fault.code == "InvalidAction"
    metrics = found("POST", "/", scope="monitoring", x_amz_target="GraniteServiceVersion20100801.PutMetricData")
    assert (metrics.service.name, metrics.protocol) == ("cloudwatch", "json")


@pytest.mark.parametrize(
    ("scope", "target", "service", "status"),
    [
        ("sqs", "AmazonSQS.Odd", "sqs", 404),
        ("sqs", "Logs_20140328.PutLogEvents", "sqs", 404),
        ("dynamodb", "DynamoDB_20120810.ListTables", "dynamodb", 501),
        ("logs", "", "logs", 404),
    ],
)
def test_json_that_names_nothing(scope: str, target: str, service: str, status: int) -> None:
    miss = found("POST", "/", scope=scope, x_amz_target=target)
    assert isinstance(miss, Miss)
    assert (miss.service, miss.fault.status, miss.protocol) == (service, status, "json")


@pytest.mark.parametrize(("scope", "protocol"), [("iot", "rest-json"), ("cloudfront", "rest-xml")])
def test_a_service_that_is_not_here_is_refused_as_it_speaks(scope: str, protocol: str) -> None:
    miss = found("GET", "/things", scope=scope)
    assert isinstance(miss, Miss)
    assert (miss.fault.status, miss.protocol) == (501, protocol)


def test_cbor_is_refused_by_name() -> None:
    miss = found("POST", "/service/x/operation/y", scope="monitoring", smithy_protocol="rpc-v2-cbor")
    assert isinstance(miss, Miss)
    assert miss.fault.status == 501
    assert "rpc-v2-cbor" in miss.fault.message


def test_without_a_signature() -> None:
    assert found("GET", "/b/k", scope=None).operation.name == "GetObject"
    assert found("GET", "/?Action=ConfirmSubscription", scope=None).operation.name == "ConfirmSubscription"
    assert found("GET", "/b/?Action=ConfirmSubscription", scope=None).operation.name == "ListObjects"
    assert isinstance(found("POST", "/", scope=None, host="sns.us-east-1.localhost"), Pending)
    runtime = found("POST", "/endpoints/e/invocations", scope=None, host="runtime.sagemaker.localhost")
    assert runtime.service.name == "sagemaker-runtime"
    logs = found("POST", "/", scope=None, x_amz_target="Logs_20140328.PutLogEvents")
    assert logs.operation.name == "PutLogEvents"


def test_a_presigned_scope_names_the_service() -> None:
    credential = "X-Amz-Credential=K%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"
    match = found("GET", f"/?Action=GetCallerIdentity&{credential}", scope=None)
    assert (match.service.name, match.operation.name) == ("sts", "GetCallerIdentity")
