"""What every noun of the service stands on: the store, the clock, whom to tell, and the look-ups all share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.common import AccessDenied
from alight.errors.s3 import InvalidArgument, NoSuchBucket, NoSuchKey
from alight.events import event
from alight.events.event import Change
from alight.events.match import Rule, matching, rules
from alight.names import ACCOUNT
from alight.services.s3.naming import check_key
from alight.services.s3.validation import TargetCheck
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore
from alight.store.shapes import Bucket, ObjectRow

#: Called inside the transaction that changes the object, once for each rule that wants the event.
Emit = Callable[[Tx, str, Mapping[str, Any], Rule], object]

#: The canonical id of the account that owns every bucket, and the shorter one that events show.
OWNER_ID = hashlib.sha256(f"canonical:{ACCOUNT}".encode()).hexdigest()
EVENT_OWNER_ID = "A" + OWNER_ID[:13].upper()
OWNER = {"ID": OWNER_ID}


def moment(seconds: float) -> datetime:
    """A time as S3 shows it, in whole seconds everywhere: a listing and a header say the same."""
    return datetime.fromtimestamp(int(seconds), UTC)


def quoted(etag: str) -> str:
    return f'"{etag}"'


@dataclass(frozen=True, slots=True)
class Ground:
    """The service's parts, handed over by app.py."""

    database: Database
    objects: ObjectStore
    clock: Clock
    emit: Emit
    target_exists: TargetCheck

    def bucket(self, given: Members) -> Bucket:
        """The bucket of a request. Raises `NoSuchBucket`, or `AccessDenied` where its owner is not the expected one."""
        wanted = str(given["Bucket"])
        row = self.objects.get_bucket(wanted)
        if row is None:
            raise NoSuchBucket(BucketName=wanted)
        if given.get("ExpectedBucketOwner", ACCOUNT) != ACCOUNT:
            raise AccessDenied
        return row

    def object(self, given: Members) -> ObjectRow:
        """The object of a request. Raises `NoSuchBucket`, `NoSuchKey`, `KeyTooLongError`."""
        bucket, key = self.bucket(given), str(given["Key"])
        check_key(key)
        check_version(given.get("VersionId"))
        row = self.objects.get(bucket.name, key)
        if row is None:
            raise NoSuchKey(Key=key)
        return row

    def require(self, tx: Tx, name: str) -> Bucket:
        """The bucket inside a job, so that nothing is written into one that has just gone. Raises `NoSuchBucket`."""
        row = self.objects.get_bucket(name, tx)
        if row is None:
            raise NoSuchBucket(BucketName=name)
        return row

    async def set(self, bucket: str, setting: str, value: Any) -> None:
        """Set or (None) remove one of the bucket's settings; durable when it returns. Raises `NoSuchBucket`."""

        def job(tx: Tx) -> None:
            self.require(tx, bucket)
            self.objects.set_setting(tx, bucket, setting, value)

        await self.database.write(job)

    def tell(self, tx: Tx, bucket: Bucket, change: Change) -> None:
        """Hand the event to each target that wants it, in the transaction that makes it true."""
        every = rules(bucket.settings.get("notification") or {})
        for rule in matching(every, change.name, change.key):
            self.emit(tx, rule.target, event.payload(change, rule.id), rule)


def change(call: Call, name: str, row: ObjectRow, when: float, sequencer: str | None = None) -> Change:
    """The event of a call on the object `row`, with the fields that AWS gives events of this family.

    `sequencer` is given where the row's own is not the event's: a deletion comes after what it deletes.
    """
    whole = name.startswith("ObjectCreated:")
    removed = name.startswith("ObjectRemoved:")
    return Change(
        name=name,
        bucket=row.bucket,
        key=row.key,
        when=when,
        request_id=call.request_id,
        principal_id=call.principal.user_id,
        source_ip=call.source_ip,
        owner_id=EVENT_OWNER_ID,
        size=row.size if whole else None,
        etag=None if removed else row.etag,
        sequencer=sequencer or (row.sequencer if whole else None),
    )


def check_version(version: str | None) -> None:
    """Buckets keep one version of a key, which S3 calls `null`. Raises `InvalidArgument` for any other."""
    if version not in (None, "null"):
        raise InvalidArgument("Invalid version id specified", ArgumentName="versionId", ArgumentValue=version)
