"""Copies: what is taken over, what is replaced, which sources are refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from alight.errors import Fault
from alight.errors.common import AccessDenied, NotImplemented_
from alight.errors.s3 import InvalidArgument, InvalidRequest, NoSuchBucket, NoSuchKey, PreconditionFailed
from alight.names import bucket_arn
from alight.services.permissions import needs
from alight.services.s3.checksums import SIZES
from alight.services.s3.naming import Source, copy_source
from alight.store.checksums import checksum
from tests.unit.services.s3.conftest import Service

LARGE = b"0123456789abcdef" * 20_000


async def copy(s3: Service, source: str = "photos/from", key: str = "to", **given: Any) -> dict[str, Any]:
    return await s3("CopyObject", Bucket="photos", Key=key, CopySource=source, **given)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("photos/a", Source("photos", "a")),
        ("/photos/a", Source("photos", "a")),
        ("photos/a%20b/%C3%BC", Source("photos", "a b/ü")),
        ("photos/a+b", Source("photos", "a+b")),
        ("photos//abs", Source("photos", "/abs")),
        ("photos/a%3FversionId%3D1", Source("photos", "a?versionId=1")),
        ("photos/a?versionId=null", Source("photos", "a", "null")),
        ("photos%2Fa", Source("photos", "a")),
    ],
)
def test_sources(header: str, found: Source) -> None:
    assert copy_source({"CopySource": header}) == found


@pytest.mark.parametrize(
    "header", ["", "photos", "photos/", "/", "//a", "photos/%ff", "arn:aws:s3:us-east-1:1:accesspoint/p/object/a"]
)
def test_what_names_no_source(header: str) -> None:
    with pytest.raises(InvalidArgument):
        copy_source({"CopySource": header})


@pytest.mark.parametrize(
    "header",
    [
        "photos/a",
        "/photos/a",
        "photos//a",
        "photos/a%2Fb",
        "photos/%2e%2e/x",
        "photos/a+b",
        "photos/a%3Fb",
        "photos%2Fa",
    ],
)
def test_the_source_that_is_judged_is_the_source_that_is_read(header: str) -> None:
    found = copy_source({"CopySource": header})
    given = {"Bucket": "other", "Key": "k", "CopySource": header}
    assert ("s3:GetObject", bucket_arn(found.bucket, found.key)) in needs("s3", "CopyObject", given)


@pytest.mark.parametrize("body", [b"small", LARGE])
async def test_a_copy_takes_everything_over(s3: Service, body: bytes) -> None:
    await s3.watch("s3:ObjectCreated:Copy")
    await s3.put("from", body, ContentType="image/png", Metadata={"a": "b"}, Tagging="x=1", CacheControl="no-cache")
    reply = await copy(s3, ContentType="text/plain", Metadata={"ignored": "yes"})
    assert reply["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    head = await s3("HeadObject", Bucket="photos", Key="to")
    assert (head["ContentType"], head["Metadata"], head["CacheControl"]) == ("image/png", {"a": "b"}, "no-cache")
    assert (await s3("GetObjectTagging", Bucket="photos", Key="to"))["TagSet"] == [{"Key": "x", "Value": "1"}]
    (record,) = s3.records()
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Copy", "to")
    # The copy outlives its source, and the bytes go with the last of the two.
    await s3("DeleteObject", Bucket="photos", Key="from")
    assert await s3.get("to") == body
    await s3("DeleteObject", Bucket="photos", Key="to")
    await s3.until_no_files()


async def test_what_is_replaced(s3: Service) -> None:
    await s3.put("from", ContentType="image/png", Metadata={"a": "b"}, Tagging="x=1")
    await copy(s3, MetadataDirective="REPLACE", Metadata={"c": "d"}, TaggingDirective="REPLACE", Tagging="y=2")
    head = await s3("HeadObject", Bucket="photos", Key="to")
    assert (head["ContentType"], head["Metadata"]) == ("binary/octet-stream", {"c": "d"})
    assert (await s3("GetObjectTagging", Bucket="photos", Key="to"))["TagSet"] == [{"Key": "y", "Value": "2"}]


async def test_onto_itself(s3: Service) -> None:
    await s3.put("from", LARGE)
    with pytest.raises(InvalidRequest, match="copy an object to itself"):
        await copy(s3, key="from")
    await copy(s3, key="from", MetadataDirective="REPLACE", Metadata={"c": "d"})
    assert (await s3("HeadObject", Bucket="photos", Key="from"))["Metadata"] == {"c": "d"}
    assert await s3.get("from") == LARGE


@pytest.mark.parametrize("name", SIZES)
async def test_checksums_of_a_copy(s3: Service, name: str) -> None:
    await s3.put("from", LARGE)
    reply = await copy(s3, ChecksumAlgorithm=name)
    assert reply["CopyObjectResult"][f"Checksum{name}"] == checksum(name.lower(), LARGE)
    head = await s3("HeadObject", Bucket="photos", Key="to", ChecksumMode="ENABLED")
    assert head[f"Checksum{name}"] == checksum(name.lower(), LARGE)


@pytest.mark.parametrize(
    ("source", "given", "fault"),
    [
        ("photos/missing", {}, NoSuchKey),
        ("elsewhere/from", {}, NoSuchBucket),
        ("photos/from", {"CopySourceIfMatch": "x"}, PreconditionFailed),
        ("photos/from", {"IfNoneMatch": "*", "Key": "from2"}, PreconditionFailed),
        ("photos/from", {"IfMatch": "x"}, NoSuchKey),
        ("photos/from", {"MetadataDirective": "MERGE"}, InvalidArgument),
        ("photos/from", {"TaggingDirective": "MERGE"}, InvalidArgument),
        ("photos/from", {"StorageClass": "GLACIER"}, NotImplemented_),
        ("photos/from", {"ExpectedSourceBucketOwner": "111111111111"}, AccessDenied),
        ("photos/from?versionId=abc", {}, InvalidArgument),
    ],
)
async def test_refused(s3: Service, source: str, given: dict[str, Any], fault: type[Fault]) -> None:
    await s3.put("from")
    await s3.put("from2", b"other")
    with pytest.raises(fault):
        await s3("CopyObject", **{"Bucket": "photos", "Key": "to", "CopySource": source, **given})
    assert await s3.keys() == ["from", "from2"]


async def test_tagging_tells(s3: Service) -> None:
    await s3.put("k")
    await s3.watch("s3:ObjectTagging:*")
    before = await s3("HeadObject", Bucket="photos", Key="k")
    tags = [{"Key": "a", "Value": "1"}]
    s3.clock.advance(60)
    await s3("PutObjectTagging", Bucket="photos", Key="k", Tagging={"TagSet": tags})
    assert (await s3("GetObjectTagging", Bucket="photos", Key="k"))["TagSet"] == tags
    await s3("DeleteObjectTagging", Bucket="photos", Key="k")
    assert (await s3("GetObjectTagging", Bucket="photos", Key="k"))["TagSet"] == []
    assert [record["eventName"] for record in s3.records()] == ["ObjectTagging:Put", "ObjectTagging:Delete"]
    assert (await s3("HeadObject", Bucket="photos", Key="k"))["LastModified"] == before["LastModified"]
    with pytest.raises(NoSuchKey):
        await s3("PutObjectTagging", Bucket="photos", Key="nothing", Tagging={"TagSet": tags})
