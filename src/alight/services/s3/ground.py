"""What every noun of the service stands on: the store, the clock, whom to tell, and the look-ups all share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors import Fault
from alight.errors.common import AccessDenied
from alight.errors.s3 import InvalidArgument, MethodNotAllowed, NoSuchBucket, NoSuchKey, NoSuchVersion
from alight.events import event
from alight.events.event import Change
from alight.events.match import Rule, matching, rules
from alight.names import ACCOUNT
from alight.services.s3.lifecycle_rules import SETTING as LIFECYCLE
from alight.services.s3.lifecycle_rules import expiration, rules_of
from alight.services.s3.naming import check_key
from alight.services.s3.validation import TargetCheck
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore
from alight.store.shapes import Bucket, ObjectRow
from alight.store.versions import SETTING

#: Called inside the transaction that changes the object, once for each rule that wants the event.
Emit = Callable[..., object]

#: The canonical id of the account that owns every bucket, and the shorter one that events show.
OWNER_ID = hashlib.sha256(f"canonical:{ACCOUNT}".encode()).hexdigest()
EVENT_OWNER_ID = "A" + OWNER_ID[:13].upper()
OWNER = {"ID": OWNER_ID}
#: Buckets whose rules are kept ready.
_REMEMBERED = 1_024
EMPTY_MD5 = hashlib.md5(b"").hexdigest()

_VERSION = re.compile(r"null|[0-9A-F]{16}[0-9a-f]{16}")


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
    #: The rules of buckets that jobs have seen, for as long as a bucket is the same object.
    _rules: dict[str, tuple[Bucket, tuple[Rule, ...]]] = field(default_factory=dict)

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
        """The object of a request, or the version that it names. Raises `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`,
        `KeyTooLongError`, and `MethodNotAllowed` for a delete marker."""
        bucket, key, version = self.bucket(given), str(given["Key"]), given.get("VersionId")
        check_key(key)
        check_version(version)
        row = self.objects.get(bucket.name, key, version=version or "")
        if row is not None and not row.marker:
            return row
        if version is not None:
            raise _no_version(key, version) if row is None else _is_marker(row)
        marker = self.objects.newest_version(bucket.name, key) if bucket.settings.get(SETTING) else None
        raise NoSuchKey(Key=key, **({"HTTPHeaders": _marked(marker)} if marker else {}))

    def version(self, row: ObjectRow) -> Members:
        """`VersionId` as a reply shows it: only of buckets that keep versions, or did."""
        bucket = self.objects.get_bucket(row.bucket)
        return _version(row, bucket.settings) if bucket is not None else {}

    def facts(self, row: ObjectRow) -> Members:
        """Of a current object its version, and `Expiration` (x-amz-expiration) where a lifecycle rule of its bucket is
        about it."""
        bucket = self.objects.get_bucket(row.bucket)
        if bucket is None:
            return {}
        reply = _version(row, bucket.settings)
        if LIFECYCLE in bucket.settings and (said := expiration(rules_of(bucket.settings), row)):
            reply["Expiration"] = said
        return reply

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
        for rule in matching(self._rules_of(bucket), change.name, change.key):
            cause = ({"cause": change.cause},) if change.cause else ()
            self.emit(tx, rule.target, event.payload(change, rule.id), rule, *cause)

    def _rules_of(self, bucket: Bucket) -> tuple[Rule, ...]:
        known = self._rules.get(bucket.name)
        if known is None or known[0] is not bucket:
            if len(self._rules) >= _REMEMBERED:
                self._rules.clear()
            known = self._rules[bucket.name] = bucket, rules(bucket.settings.get("notification") or {})
        return known[1]


def _version(row: ObjectRow, settings: Mapping[str, Any]) -> Members:
    return {"VersionId": row.visible} if settings.get(SETTING) else {}


def change(call: Call, name: str, row: ObjectRow, when: float, sequencer: str | None = None) -> Change:
    """The event of a call on the object `row`, with the fields that AWS gives events of this family.

    `sequencer` is given where the row's own is not the event's: a deletion comes after what it deletes.
    """
    whole = name.startswith("ObjectCreated:")
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
        etag=_etag(name, row),
        sequencer=sequencer or (row.sequencer if whole else None),
        version_id=row.version_id if row.versioned else None,
        cause=call.attempt.cause if call.attempt else "",
    )


def _etag(name: str, row: ObjectRow) -> str | None:
    """Of no bytes where the event is a delete marker's, and none where something went."""
    if name.endswith(":DeleteMarkerCreated"):
        return EMPTY_MD5
    return None if name.endswith(("Removed:Delete", "Expiration:Delete")) else row.etag


def check_version(version: str | None) -> None:
    """Raises `InvalidArgument` for what cannot be a version's id."""
    if version is not None and not _VERSION.fullmatch(version):
        raise InvalidArgument("Invalid version id specified", ArgumentName="versionId", ArgumentValue=version)


def _no_version(key: str, version: str) -> Fault:
    return NoSuchVersion(Key=key, VersionId=version)


def _is_marker(row: ObjectRow) -> Fault:
    """A marker has nothing to read: it can only be deleted."""
    said = {"allow": "DELETE", "last-modified": format_datetime(moment(row.last_modified), usegmt=True)}
    return MethodNotAllowed(ResourceType="DeleteMarker", HTTPHeaders=_marked(row) | said)


def _marked(marker: ObjectRow) -> dict[str, str]:
    return {"x-amz-delete-marker": "true", "x-amz-version-id": marker.visible}
