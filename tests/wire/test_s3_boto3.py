"""S3 as its clients see it: boto3 over a real socket, through the gateway, into a real store on disk."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alight.store.checksums import checksum
from tests.wire.running_s3 import Running, running_s3
from tests.wire.served import client

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("s3") / "data") as here:
        yield here


@pytest.fixture(scope="module")
def s3(running: Running) -> Any:
    return running.client()


@pytest.fixture
def bucket(s3: Any, running: Running, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty bucket of the test's own; it and its objects are removed afterwards, through the API."""
    name = f"b-{abs(hash(request.node.nodeid)):x}"
    s3.create_bucket(Bucket=name)
    running.events.clear()
    yield name
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for row in page.get("Contents", ()):
            s3.delete_object(Bucket=name, Key=row["Key"])
    s3.delete_bucket(Bucket=name)


def failed(problem: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = problem.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_what_a_bucket_says_of_encryption_and_of_what_it_has_not(s3: Any, bucket: str) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}

    def encryption() -> Any:
        return s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]

    assert encryption() == [rule]
    keyed = rule | {"BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [keyed]})
    assert encryption() == [keyed]
    s3.delete_bucket_encryption(Bucket=bucket)
    assert encryption() == [rule]
    kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    with pytest.raises(ClientError) as problem:
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=kms)
    assert failed(problem) == ("NotImplemented", 501)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    for ask, code in (
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ):
        with pytest.raises(ClientError) as problem:
            ask(Bucket=bucket)
        assert failed(problem) == (code, 404)


def test_buckets(s3: Any, bucket: str) -> None:
    assert bucket in [row["Name"] for row in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "ü"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "ü"}]
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    with pytest.raises(ClientError) as problem:
        s3.head_bucket(Bucket="not-there")
    assert failed(problem) == ("404", 404)
    with pytest.raises(ClientError) as problem:
        s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert failed(problem) == ("NotImplemented", 501)


KEYS = [
    "..", "../../etc/passwd", "a/../b", "./a", ".", "/abs", "//abs", "a//b", "a/", "a", "a/b", "s" * 300,
    "a b+c%20d%2Fe&f?g#h=i;j", "e\u0301", "\u00e9", "🐦/ü", "\u202eabc", "k" * 1024,
    "~*'()!$,:@\"<>\\^`{|}", "?versionId=1",
]  # fmt: skip


def test_keys_come_back_byte_for_byte(s3: Any, bucket: str, running: Running) -> None:
    before = {path for path in running.folder.parent.rglob("*") if running.folder not in path.parents}
    for number, key in enumerate(KEYS):
        s3.put_object(Bucket=bucket, Key=key, Body=b"%d" % number)
    for number, key in enumerate(KEYS):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"%d" % number
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(str(number))
    listed = [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(KEYS, key=str.encode)
    assert before == {path for path in running.folder.parent.rglob("*") if running.folder not in path.parents}
    copied = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": KEYS[12]})
    assert copied["CopyObjectResult"]["ETag"]
    wanted = {"Objects": [{"Key": key} for key in [*KEYS, "to"]]}
    assert len(s3.delete_objects(Bucket=bucket, Delete=wanted)["Deleted"]) == len(KEYS) + 1
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200))
def test_any_printable_text_is_a_key(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)


def test_events_carry_the_key_as_handlers_expect_it(s3: Any, bucket: str, running: Running) -> None:
    rule = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    shown = s3.get_bucket_notification_configuration(Bucket=bucket)["LambdaFunctionConfigurations"]
    assert shown[0]["LambdaFunctionArn"] == FUNCTION
    reply = s3.put_object(Bucket=bucket, Key="my card+ü.jpg", Body=b"12345")
    s3.delete_object(Bucket=bucket, Key="my card+ü.jpg")
    created, removed = running.events
    assert created["s3"]["object"]["key"] == "my+card%2B%C3%BC.jpg"
    assert created["s3"]["object"]["eTag"] == reply["ETag"].strip('"')
    metadata = reply["ResponseMetadata"]
    assert created["responseElements"] == {
        "x-amz-request-id": metadata["RequestId"],
        "x-amz-id-2": metadata["HostId"],
    }
    assert removed["eventName"] == "ObjectRemoved:Delete"
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})


def test_headers_and_metadata(s3: Any, bucket: str) -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    said: dict[str, Any] = {
        "ContentType": "image/jpeg",
        "CacheControl": "max-age=60",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"species": "cardinal"},
        "ServerSideEncryption": "AES256",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, Tagging="a=1", **said)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in said} == said
    assert head["Expires"] == expires
    reply = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/plain")
    assert (reply["ContentType"], reply["TagCount"], reply["Body"].read()) == ("text/plain", 1, b"x")
    with pytest.raises(ClientError) as problem:
        s3.put_object(Bucket=bucket, Key="k", Metadata={"m": "v" * 2048})
    assert failed(problem) == ("MetadataTooLarge", 400)


ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksums_that_boto3_computes(s3: Any, bucket: str, algorithm: str) -> None:
    body = b"0123456789" * 100_000
    reply = s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(body), ChecksumAlgorithm=algorithm)
    assert reply[f"Checksum{algorithm}"] == checksum(algorithm.lower(), body)
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found[f"Checksum{algorithm}"] == checksum(algorithm.lower(), body)
    assert found["Body"].read() == body  # boto3 compares as it reads


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"])
def test_checksums_that_the_caller_brings(s3: Any, bucket: str, algorithm: str) -> None:
    right, wrong = (checksum(algorithm.lower(), body) for body in (b"body", b"other"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"body", **{f"Checksum{algorithm}": right})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == right
    with pytest.raises(ClientError) as problem:
        s3.put_object(Bucket=bucket, Key="wrong", Body=b"body", **{f"Checksum{algorithm}": wrong})
    assert failed(problem) == ("BadDigest", 400)
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="wrong")


def test_without_checksums(running: Running, bucket: str) -> None:
    plain = running.client(request_checksum_calculation="when_required", response_checksum_validation="when_required")
    plain.put_object(Bucket=bucket, Key="k", Body=b"body", ContentMD5="hBotaJrYa9FhFEdFPCLG/A==")
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"
    with pytest.raises(ClientError) as problem:
        plain.put_object(Bucket=bucket, Key="k", Body=b"other", ContentMD5="hBotaJrYa9FhFEdFPCLG/A==")
    assert failed(problem) == ("BadDigest", 400)


def test_managed_transfers(s3: Any, bucket: str, running: Running, tmp_path: Path) -> None:
    """upload_file in parts, download by ranges, copy in parts."""
    body = bytes(range(256)) * 90_000  # 22 MiB
    source = tmp_path / "source.bin"
    source.write_bytes(body)
    config = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=4)
    s3.upload_file(str(source), bucket, "big/source", Config=config, ExtraArgs={"ContentType": "image/tiff"})
    head = s3.head_object(Bucket=bucket, Key="big/source")
    assert head["ETag"].endswith('-3"')
    assert (head["ContentLength"], head["ContentType"]) == (len(body), "image/tiff")
    found = io.BytesIO()
    s3.download_fileobj(bucket, "big/source", found, Config=config)
    assert found.getvalue() == body
    s3.copy({"Bucket": bucket, "Key": "big/source"}, bucket, "big/copy", Config=config)
    assert s3.get_object(Bucket=bucket, Key="big/copy")["Body"].read() == body
    assert s3.get_object(Bucket=bucket, Key="big/copy", Range="bytes=-3")["Body"].read() == body[-3:]
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads") is None


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("SHA256", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT")]
)
def test_multipart_by_hand(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    bodies = [b"a" * (5 << 20), b"b" * 10]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    at = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    parts = []
    for number, body in enumerate(bodies, 1):
        reply = s3.upload_part(**at, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        parts.append({"PartNumber": number, "ETag": reply["ETag"], name: reply[name]})
    assert [part["PartNumber"] for part in s3.list_parts(**at)["Parts"]] == [1, 2]
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["Key"] == "k"
    done = s3.complete_multipart_upload(**at, MultipartUpload={"Parts": parts}, ChecksumType=kind)
    assert done["ChecksumType"] == kind
    shown = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts", "Checksum", "ObjectSize"])
    assert shown["ObjectParts"]["TotalPartsCount"] == 2
    assert shown["ObjectSize"] == (5 << 20) + 10
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"".join(bodies)
    with pytest.raises(ClientError) as problem:
        s3.abort_multipart_upload(**at)
    assert failed(problem) == ("NoSuchUpload", 404)


def test_paginators(s3: Any, bucket: str) -> None:
    keys = [f"{folder}/{number:02d} ü+" for folder in ("a", "b") for number in range(7)] + ["c"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key)
    for operation in ("list_objects", "list_objects_v2"):
        paginator = s3.get_paginator(operation)
        found = [
            row["Key"]
            for page in paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
            for row in page["Contents"]
        ]
        assert found == keys
        names = []
        for page in paginator.paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}):
            names += [row["Prefix"] for row in page.get("CommonPrefixes", ())]
            names += [row["Key"] for row in page.get("Contents", ())]
        assert names == ["a/", "b/", "c"]
    with pytest.raises(ClientError) as problem:
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="junk")
    assert failed(problem) == ("InvalidArgument", 400)


def test_conditions_and_ranges(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")["ETag"]
    partial = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (partial["Body"].read(), partial["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert partial["ResponseMetadata"]["HTTPStatusCode"] == 206
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    for asked, expected in (
        ({"IfNoneMatch": tag}, ("304", 304)),
        ({"IfModifiedSince": now + hour}, ("304", 304)),
        ({"IfMatch": '"other"'}, ("PreconditionFailed", 412)),
        ({"IfUnmodifiedSince": now - hour}, ("PreconditionFailed", 412)),
        ({"Range": "bytes=10-"}, ("InvalidRange", 416)),
    ):
        with pytest.raises(ClientError) as problem:
            s3.get_object(Bucket=bucket, Key="k", **asked)
        assert failed(problem) == expected
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="nothing")


def test_a_hundred_writers_and_one_winner(running: Running, bucket: str) -> None:
    s3 = running.client(max_pool_connections=20)

    def write(number: int) -> int | str:
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return number

    with ThreadPoolExecutor(20) as threads:
        outcomes = list(threads.map(write, range(100)))
    won = [each for each in outcomes if isinstance(each, int)]
    assert len(won) == 1
    assert {each for each in outcomes if isinstance(each, str)} == {"PreconditionFailed"}
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"%d" % won[0]


@pytest.mark.parametrize("config", [{}, {"signature_version": "s3v4"}], ids=["default", "v4"])
def test_presigned_links(running: Running, bucket: str, config: dict[str, str]) -> None:
    """Without further words boto3 signs links with version 2 in us-east-1."""
    s3 = running.client(**config)
    key = "my card+ü.jpg"
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key, "ContentType": "image/png"})
    request = urllib.request.Request(put, data=b"picture", method="PUT", headers={"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200
    params = {"Bucket": bucket, "Key": key, "ResponseContentDisposition": 'attachment; filename="card.jpg"'}
    get = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=60)
    with urllib.request.urlopen(get, timeout=10) as reply:
        assert reply.read() == b"picture"
        assert reply.headers["content-type"] == "image/png"
        assert reply.headers["content-disposition"] == 'attachment; filename="card.jpg"'
        assert reply.headers["x-content-type-options"] == "nosniff"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(get.replace("card", "other"), timeout=10)
    assert refused.value.code == 403
    refused.value.close()


def test_tags_and_copies(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"body", Metadata={"a": "b"}, Tagging="x=1")
    s3.put_object_tagging(Bucket=bucket, Key="from", Tagging={"TagSet": [{"Key": "y", "Value": "2"}]})
    reply = s3.copy_object(
        Bucket=bucket, Key="to", CopySource=f"{bucket}/from", MetadataDirective="REPLACE", Metadata={"c": "d"}
    )
    assert reply["CopyObjectResult"]["LastModified"].tzinfo is not None
    assert s3.head_object(Bucket=bucket, Key="to")["Metadata"] == {"c": "d"}
    assert s3.get_object_tagging(Bucket=bucket, Key="to")["TagSet"] == [{"Key": "y", "Value": "2"}]
    s3.delete_object_tagging(Bucket=bucket, Key="to")
    assert s3.get_object_tagging(Bucket=bucket, Key="to")["TagSet"] == []
    with pytest.raises(ClientError) as problem:
        s3.copy_object(Bucket=bucket, Key="from", CopySource=f"{bucket}/from")
    assert failed(problem) == ("InvalidRequest", 400)


def test_virtual_hosts(running: Running, bucket: str, s3: Any) -> None:
    options: dict[str, Any] = {
        "endpoint_url": f"http://localhost:{running.port}",
        "config": {"s3": {"addressing_style": "virtual"}, "signature_version": "s3v4"},
    }
    virtual = client("s3", running.port, **options)
    url = virtual.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert f"{bucket}.localhost" in url
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    request = urllib.request.Request(url.replace(f"{bucket}.localhost", "127.0.0.1"))
    request.add_header("Host", f"{bucket}.localhost:{running.port}")
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.read() == b"body"
    virtual.close()
