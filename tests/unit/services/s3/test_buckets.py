"""Buckets: made, dropped, listed in pages, tagged; what would make another kind of bucket is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alight.errors import Fault
from alight.errors.common import AccessDenied, NotImplemented_
from alight.errors.s3 import (
    AccessControlListNotSupported,
    BucketNotEmpty,
    IllegalLocationConstraintException,
    IllegalVersioningConfigurationException,
    InvalidArgument,
    InvalidBucketAclWithObjectOwnership,
    InvalidBucketName,
    InvalidTag,
    MalformedACLError,
    MalformedXML,
    NoSuchBucket,
    NoSuchTagSet,
)
from tests.unit.services.s3.conftest import Service


async def test_create_again_is_fine(s3: Service) -> None:
    await s3.put("k")
    reply = await s3("CreateBucket", Bucket="photos")
    assert reply == {"Location": "/photos", "BucketArn": "arn:aws:s3:::photos"}
    assert await s3.keys() == ["k"]


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"Bucket": "Photos"}, InvalidBucketName),
        ({"Bucket": ".."}, InvalidBucketName),
        ({"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}, IllegalLocationConstraintException),
        ({"CreateBucketConfiguration": {"Location": {"Type": "AvailabilityZone"}}}, NotImplemented_),
        ({"ACL": "public-read"}, InvalidBucketAclWithObjectOwnership),
        ({"ACL": "public-read", "ObjectOwnership": "ObjectWriter"}, AccessDenied),
        ({"ACL": "public-read-write"}, NotImplemented_),
        ({"ObjectLockEnabledForBucket": True}, NotImplemented_),
        ({"ObjectOwnership": "Nobody"}, InvalidArgument),
        ({"GrantRead": "id=1"}, NotImplemented_),
    ],
)
async def test_refused_creation(s3: Service, members: dict[str, Any], fault: type[Fault]) -> None:
    with pytest.raises(fault):
        await s3("CreateBucket", **{"Bucket": "other", **members})
    assert [row["Name"] for row in (await s3("ListBuckets"))["Buckets"]] == ["photos"]


async def test_head_location_versioning(s3: Service) -> None:
    assert (await s3("HeadBucket", Bucket="photos"))["BucketRegion"] == "us-east-1"
    assert await s3("GetBucketLocation", Bucket="photos") == {"LocationConstraint": None}
    assert await s3("GetBucketVersioning", Bucket="photos") == {}
    with pytest.raises(NoSuchBucket):
        await s3("HeadBucket", Bucket="other")
    with pytest.raises(AccessDenied):
        await s3("HeadBucket", Bucket="photos", ExpectedBucketOwner="111111111111")
    given = {"Status": "Enabled", "MFADelete": "Enabled"}
    with pytest.raises(NotImplemented_, match="MFADelete"):
        await s3("PutBucketVersioning", Bucket="photos", VersioningConfiguration=given)
    with pytest.raises(MalformedXML):
        await s3("PutBucketVersioning", Bucket="photos", VersioningConfiguration={"Status": "Perhaps"})
    with pytest.raises(IllegalVersioningConfigurationException):
        await s3("PutBucketVersioning", Bucket="photos", VersioningConfiguration={})
    await s3("PutBucketVersioning", Bucket="photos", VersioningConfiguration={"Status": "Suspended"})
    assert await s3("GetBucketVersioning", Bucket="photos") == {"Status": "Suspended"}


async def test_delete(s3: Service) -> None:
    await s3.put("k")
    with pytest.raises(BucketNotEmpty):
        await s3("DeleteBucket", Bucket="photos")
    await s3("DeleteObject", Bucket="photos", Key="k")
    await s3("DeleteBucket", Bucket="photos")
    with pytest.raises(NoSuchBucket):
        await s3("DeleteBucket", Bucket="photos")
    with pytest.raises(NoSuchBucket):
        await s3.put("k")


async def test_list_in_pages(s3: Service) -> None:
    for number in range(5):
        await s3("CreateBucket", Bucket=f"bucket-{number}")
    found: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(3):
        reply = await s3("ListBuckets", MaxBuckets=2, Prefix="bucket-", **more)
        found += [row["Name"] for row in reply["Buckets"]]
        more = {"ContinuationToken": reply.get("ContinuationToken")}
    assert found == [f"bucket-{number}" for number in range(5)]
    assert more == {"ContinuationToken": None}
    assert (await s3("ListBuckets", BucketRegion="eu-west-1"))["Buckets"] == []
    everything = await s3("ListBuckets")
    assert everything["Buckets"][-1] == {
        "Name": "photos",
        "CreationDate": datetime.fromtimestamp(1_700_000_000, UTC),
        "BucketRegion": "us-east-1",
        "BucketArn": "arn:aws:s3:::photos",
    }
    with pytest.raises(InvalidArgument):
        await s3("ListBuckets", MaxBuckets=0)
    with pytest.raises(InvalidArgument):
        await s3("ListBuckets", ContinuationToken="junk")


async def test_tags(s3: Service) -> None:
    with pytest.raises(NoSuchTagSet):
        await s3("GetBucketTagging", Bucket="photos")
    tags = [{"Key": "team", "Value": "birds"}]
    await s3("PutBucketTagging", Bucket="photos", Tagging={"TagSet": tags})
    assert await s3("GetBucketTagging", Bucket="photos") == {"TagSet": tags}
    with pytest.raises(InvalidTag):
        await s3("PutBucketTagging", Bucket="photos", Tagging={"TagSet": tags * 2})
    await s3("DeleteBucketTagging", Bucket="photos")
    with pytest.raises(NoSuchTagSet):
        await s3("GetBucketTagging", Bucket="photos")


async def test_without_acls_there_is_one(s3: Service) -> None:
    await s3.put("k")
    for name, given in (("Bucket", {"Bucket": "photos"}), ("Object", {"Bucket": "photos", "Key": "k"})):
        await s3(f"Put{name}Acl", **given, ACL="private")
        (grant,) = (await s3(f"Get{name}Acl", **given))["Grants"]
        assert grant["Permission"] == "FULL_CONTROL"
        await s3(f"Put{name}Acl", **given, ACL="bucket-owner-full-control")
        with pytest.raises(AccessControlListNotSupported):
            await s3(f"Put{name}Acl", **given, ACL="public-read")
        with pytest.raises(MalformedACLError):
            await s3(f"Put{name}Acl", **given)
