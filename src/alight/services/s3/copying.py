"""CopyObject: another object of the same bytes, which stay where they are; only what is said of them is written."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

from alight.calls import Call, Handler, Members
from alight.errors.common import AccessDenied
from alight.errors.s3 import (
    ConditionalRequestConflict,
    InvalidArgument,
    InvalidRequest,
    NoSuchBucket,
    NoSuchKey,
    NoSuchVersion,
)
from alight.events.event import CREATED_COPY
from alight.names import ACCOUNT
from alight.services.s3 import checksums, conditions, headers
from alight.services.s3.acl import acl_for
from alight.services.s3.checksums import DEFAULT, FULL, SIZES
from alight.services.s3.ground import Ground, change, check_version, moment, quoted
from alight.services.s3.naming import check_key, copy_source
from alight.services.s3.objects import info_of, sums_of
from alight.services.s3.placing import LARGEST, check_again
from alight.store.checksums import ALGORITHMS
from alight.store.database import Tx
from alight.store.shapes import ObjectInfo, ObjectRow

_TRIES = 5
# Said in a request, one of these makes a copy onto itself worth doing.
_CHANGES = ("StorageClass", "ServerSideEncryption", "WebsiteRedirectLocation", "ChecksumAlgorithm")


class Copying:
    """The handler of CopyObject."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {"CopyObject": self.copy_object}

    async def copy_object(self, call: Call, given: Members) -> Members:
        home, key = self._ground.bucket(given), str(given["Key"])
        bucket = home.name
        check_key(key)
        _check(given, bucket, key)
        acl_for(call, home, given)
        for _ in range(_TRIES):
            source, row = await self._try(call, given, bucket, key)
            if row is not None:
                result = {"ETag": quoted(row.etag), "LastModified": moment(row.last_modified), **sums_of(row)}
                facts = source_version(self._ground, source) | self._ground.facts(row)
                return {"CopyObjectResult": result, **headers.encryption(row), **facts}
        raise ConditionalRequestConflict

    async def _try(self, call: Call, given: Members, bucket: str, key: str) -> tuple[ObjectRow, ObjectRow | None]:
        """Source and copy; no copy where the source was replaced while its checksum was computed: look again then."""
        source = source_of(self._ground, given)
        if source.size > LARGEST:
            raise InvalidRequest(
                f"The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST}"
            )
        sums = await _sums(self._ground, source, given.get("ChecksumAlgorithm"))
        asked, version = conditions.of(given), copy_source(given).version or ""

        def job(tx: Tx) -> ObjectRow | None:
            home = self._ground.require(tx, bucket)
            check_again(self._ground, tx, bucket, key, asked)
            there = self._ground.objects.get(source.bucket, source.key, tx, version)
            if there is None or there.version_id != source.version_id:
                return None
            place = (source.bucket, source.key)
            info = replace(_info(there, given, sums), acl=acl_for(call, home, given))
            row = self._ground.objects.copy(tx, place, bucket, key, info, version)
            if row is not None:
                self._ground.tell(tx, home, change(call, CREATED_COPY, row, row.last_modified))
            return row

        return source, await self._ground.database.write(job)


def source_version(ground: Ground, source: ObjectRow) -> Members:
    """Which version of the source was read, where its bucket keeps versions."""
    shown = ground.version(source)
    return {"CopySourceVersionId": shown["VersionId"]} if shown else {}


def source_of(ground: Ground, given: Members) -> ObjectRow:
    """The source of a copy, if its conditions hold. Raises `NoSuchBucket`, `NoSuchKey`, `PreconditionFailed` ..."""
    named = copy_source(given)
    check_version(named.version)
    if ground.objects.get_bucket(named.bucket) is None:
        raise NoSuchBucket(BucketName=named.bucket)
    if given.get("ExpectedSourceBucketOwner", ACCOUNT) != ACCOUNT:
        raise AccessDenied
    row = ground.objects.get(named.bucket, named.key, version=named.version or "")
    if row is None:
        raise NoSuchVersion(Key=named.key, VersionId=named.version) if named.version else NoSuchKey(Key=named.key)
    if row.marker:
        raise InvalidRequest(
            "The source of a copy request may not specifically refer to a delete marker by version id."
        )
    conditions.check_source(conditions.of(given, "CopySource"), row.etag, row.last_modified, ground.clock.now())
    return row


def _check(given: Members, bucket: str, key: str) -> None:
    """What can be refused without looking at any object."""
    for member, argument in (("MetadataDirective", "metadata"), ("TaggingDirective", "tagging")):
        if given.get(member) not in (None, "COPY", "REPLACE"):
            raise InvalidArgument(
                f"Unknown {argument} directive.",
                ArgumentName=f"x-amz-{argument}-directive",
                ArgumentValue=given[member],
            )
    conditions.check_form(conditions.of(given))
    info_of(given)
    source = copy_source(given)
    changed = given.get("MetadataDirective") == "REPLACE" or any(given.get(member) for member in _CHANGES)
    # An older version that is copied onto its key is how one restores it.
    if (source.bucket, source.key, source.version) == (bucket, key, None) and not changed:
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


def _info(source: ObjectRow, given: Members, sums: dict[str, str]) -> ObjectInfo:
    said = info_of(given)
    tags = said.tags if given.get("TaggingDirective") == "REPLACE" else source.tags
    if given.get("MetadataDirective") != "REPLACE":
        kept = {name: value for name, value in source.headers.items() if name != "WebsiteRedirectLocation"}
        new = {name: value for name, value in said.headers.items() if name == "WebsiteRedirectLocation"}
        storage = {name: value for name, value in said.storage.items() if name != "Expires"}
        if "Expires" in source.storage:
            storage["Expires"] = source.storage["Expires"]
        said = replace(
            said, content_type=source.content_type, headers=kept | new, metadata=source.metadata, storage=storage
        )
    return replace(said, tags=tags, checksums=sums, checksum_type=FULL)


async def _sums(ground: Ground, source: ObjectRow, algorithm: str | None) -> dict[str, str]:
    """The full-object checksum of the copy: the source's where it has that one, else computed from its bytes."""
    if algorithm is not None and algorithm.upper() not in SIZES:
        raise InvalidArgument("Checksum algorithm provided is unsupported.", ArgumentValue=algorithm)
    name = checksums.store_name(algorithm or next(iter(source.checksums), DEFAULT))
    if source.checksum_type == FULL and name in source.checksums:
        return {name: source.checksums[name]}
    if name == checksums.store_name(DEFAULT):
        return {name: source.crc64nvme}
    hasher = ALGORITHMS[name]()
    async for chunk in ground.objects.open_body(source):
        await asyncio.to_thread(hasher.update, chunk)
    return {name: base64.b64encode(hasher.digest()).decode()}
