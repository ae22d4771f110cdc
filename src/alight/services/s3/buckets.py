"""Buckets: make, drop, look, list, and what is said about a bucket as a whole (region, tags)."""

from __future__ import annotations

from typing import Any

from alight.calls import Call, Handler, Members
from alight.errors.common import NotImplemented_
from alight.errors.s3 import (
    AccessControlListNotSupported,
    BucketNotEmpty,
    IllegalLocationConstraintException,
    InvalidArgument,
    InvalidBucketAclWithObjectOwnership,
    NoSuchTagSet,
)
from alight.names import REGION, bucket_arn
from alight.services.s3.acl import acl_for
from alight.services.s3.ground import OWNER, Ground, moment
from alight.services.s3.listing import opened, sealed
from alight.services.s3.naming import check_bucket_name
from alight.services.s3.sharing import OWNERSHIP, OWNERSHIPS
from alight.services.s3.tagging import BUCKET_TAGS, from_set, to_set
from alight.store.database import Tx
from alight.store.shapes import Bucket

_PAGE = 10_000


class Buckets:
    """Handlers of the operations on buckets."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "CreateBucket": self.create_bucket,
            "DeleteBucket": self.delete_bucket,
            "HeadBucket": self.head_bucket,
            "ListBuckets": self.list_buckets,
            "GetBucketLocation": self.get_bucket_location,
            "GetBucketTagging": self.get_bucket_tagging,
            "PutBucketTagging": self.put_bucket_tagging,
            "DeleteBucketTagging": self.delete_bucket_tagging,
        }

    async def create_bucket(self, call: Call, given: Members) -> Members:
        """In us-east-1 the owner may create what there is already: 200, and nothing changes."""
        name = str(given["Bucket"])
        check_bucket_name(name)
        tags = _check_creation(given)
        settings: dict[str, Any] = {"tags": tags} if tags else {}
        if given.get("ObjectOwnership"):
            settings[OWNERSHIP] = given["ObjectOwnership"]
        _check_acl(call, Bucket(name, 0.0, settings), given)
        await self._ground.database.write(lambda tx: self._ground.objects.create_bucket(tx, name, settings))
        return {"Location": f"/{name}", "BucketArn": bucket_arn(name)}

    async def delete_bucket(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name

        def job(tx: Tx) -> None:
            self._ground.require(tx, name)
            if not self._ground.objects.delete_bucket(tx, name):
                raise BucketNotEmpty(BucketName=name)

        await self._ground.database.write(job, frees=True)
        return {}

    async def head_bucket(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name
        return {"BucketArn": bucket_arn(name), "BucketRegion": REGION, "AccessPointAlias": False}

    async def list_buckets(self, call: Call, given: Members) -> Members:
        limit, prefix, token = given.get("MaxBuckets"), given.get("Prefix") or "", given.get("ContinuationToken")
        if limit is not None and not 1 <= limit <= _PAGE:
            raise InvalidArgument(
                f"Argument max-buckets must be an integer between 1 and {_PAGE}",
                ArgumentName="max-buckets",
                ArgumentValue=limit,
            )
        after = opened(token) if token else ""
        here = given.get("BucketRegion") in (None, REGION)
        size = limit or _PAGE
        rows = self._ground.objects.list_buckets(prefix, after, size + 1) if here else []
        page = rows[:size]
        reply: Members = {"Owner": OWNER, "Buckets": [_listed(row) for row in page]}
        if prefix:
            reply["Prefix"] = prefix
        if len(page) < len(rows):
            reply["ContinuationToken"] = sealed(page[-1].name)
        return reply

    async def get_bucket_location(self, call: Call, given: Members) -> Members:
        self._ground.bucket(given)
        return {"LocationConstraint": None}

    async def get_bucket_tagging(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        tags = bucket.settings.get("tags")
        if not tags:
            raise NoSuchTagSet(BucketName=bucket.name)
        return {"TagSet": to_set(tags)}

    async def put_bucket_tagging(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        tags = from_set(given["Tagging"].get("TagSet") or (), BUCKET_TAGS)
        await self._ground.set(bucket.name, "tags", tags)
        return {"ResponseMetadata": {"HTTPStatusCode": 204}}

    async def delete_bucket_tagging(self, call: Call, given: Members) -> Members:
        await self._ground.set(self._ground.bucket(given).name, "tags", None)
        return {}


def _check_creation(given: Members) -> dict[str, str]:
    """Refuse by name what would make another kind of bucket; the bucket's tags."""
    if given.get("ObjectLockEnabledForBucket"):
        raise NotImplemented_("Alight does not support ObjectLockEnabledForBucket of s3 CreateBucket.")
    if given.get("ObjectOwnership") not in (None, *OWNERSHIPS):
        raise InvalidArgument(ArgumentName="x-amz-object-ownership", ArgumentValue=given["ObjectOwnership"])
    configuration = dict(given.get("CreateBucketConfiguration") or {})
    region = configuration.pop("LocationConstraint", None)
    tags = configuration.pop("Tags", None) or ()
    if region not in (None, "", REGION):
        raise IllegalLocationConstraintException(
            f"The {region} location constraint is incompatible for the region specific endpoint this request was "
            "sent to."
        )
    if other := [name for name, value in configuration.items() if value]:
        raise NotImplemented_(f"Alight does not support CreateBucketConfiguration.{other[0]} of s3 CreateBucket.")
    return from_set(tags, BUCKET_TAGS)


def _check_acl(call: Call, bucket: Bucket, given: Members) -> None:
    """New buckets block public ACLs, so a public one cannot be given at creation. Raises S3's refusal of it."""
    try:
        acl_for(call, bucket, given)
    except AccessControlListNotSupported:
        raise InvalidBucketAclWithObjectOwnership(BucketName=bucket.name) from None


def _listed(row: Bucket) -> Members:
    return {
        "Name": row.name,
        "CreationDate": moment(row.created),
        "BucketRegion": REGION,
        "BucketArn": bucket_arn(row.name),
    }
