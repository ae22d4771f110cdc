"""DeleteObject and DeleteObjects: a key that is not there is as good as deleted, and no event tells of it.

In a bucket with versions a key is not deleted but marked; what is deleted for good is a version that is named.
"""

from __future__ import annotations

from typing import Any

from alight.calls import Call, Handler, Members
from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.s3 import MalformedXML
from alight.events.event import REMOVED_DELETE, REMOVED_MARKER
from alight.services.s3.conditions import Conditions
from alight.services.s3.ground import Ground, change, check_version
from alight.services.s3.naming import check_key
from alight.services.s3.placing import check_again
from alight.store.database import Tx
from alight.store.shapes import Bucket, ObjectRow

_AT_ONCE = 1000

#: What became of one key: a refusal, what went (or its marker), or nothing.
Outcome = Fault | ObjectRow | None


class Deletes:
    """Handlers of the deletions; each key's row and event go in one transaction."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {"DeleteObject": self.delete_object, "DeleteObjects": self.delete_objects}

    async def delete_object(self, call: Call, given: Members) -> Members:
        bucket, key = self._ground.bucket(given).name, str(given["Key"])
        check_key(key)
        version = given.get("VersionId")
        check_version(version)
        asked = Conditions(if_match=given.get("IfMatch"))
        row = await self._ground.database.write(
            lambda tx: self._delete(tx, call, self._ground.require(tx, bucket), key, asked, version), frees=True
        )
        return _told(version, row)

    async def delete_objects(self, call: Call, given: Members) -> Members:
        """Up to 1,000 keys in one transaction; what is refused is listed, and the others go."""
        bucket = self._ground.bucket(given).name
        request: Members = given["Delete"]
        wanted: list[Members] = request.get("Objects") or []
        if not 0 < len(wanted) <= _AT_ONCE or not all(one.get("Key") for one in wanted):
            raise MalformedXML

        def job(tx: Tx) -> list[Outcome]:
            home = self._ground.require(tx, bucket)
            return [self._try(tx, call, home, one) for one in wanted]

        outcomes = list(zip(wanted, await self._ground.database.write(job, frees=True), strict=True))
        reply: Members = {"Errors": [_refused(one, got) for one, got in outcomes if isinstance(got, Fault)]}
        if not request.get("Quiet"):
            reply["Deleted"] = [_echo(one) | _marker_of(got) for one, got in outcomes if not isinstance(got, Fault)]
        return reply

    def _try(self, tx: Tx, call: Call, bucket: Bucket, one: Members) -> Outcome:
        """Delete one, or say why not; what goes wrong once it is gone undoes the whole request."""
        asked = Conditions(if_match=one.get("ETag"))
        try:
            _check(one)
            check_again(self._ground, tx, bucket.name, one["Key"], asked)
        except Fault as fault:
            return fault
        return self._delete(tx, call, bucket, one["Key"], asked, one.get("VersionId"))

    def _delete(
        self, tx: Tx, call: Call, bucket: Bucket, key: str, asked: Conditions, version: str | None
    ) -> ObjectRow | None:
        """What went, or the marker that says so in a bucket with versions; None where nothing was there."""
        check_again(self._ground, tx, bucket.name, key, asked)
        objects = self._ground.objects
        row = (
            objects.delete(tx, bucket.name, key)
            if version is None
            else objects.delete_version(tx, bucket.name, key, version)
        )
        if row is None:
            return None
        marked = version is None and row.marker
        name, place = (REMOVED_MARKER, row.sequencer) if marked else (REMOVED_DELETE, objects.next_sequencer(tx))
        self._ground.tell(tx, bucket, change(call, name, row, self._ground.clock.now(), sequencer=place))
        return row


def _check(one: Members) -> None:
    for member in ("LastModifiedTime", "Size"):
        if one.get(member) is not None:
            raise NotImplemented_(f"Alight does not support the member {member} of s3 DeleteObjects.")
    check_key(one["Key"])
    check_version(one.get("VersionId"))


def _told(version: str | None, row: ObjectRow | None) -> Members:
    """The version that was deleted, or that the deletion made."""
    if version is not None:
        return {"VersionId": version} | ({"DeleteMarker": True} if row is not None and row.marker else {})
    return {"VersionId": row.visible, "DeleteMarker": True} if row is not None and row.marker else {}


def _marker_of(row: ObjectRow | None) -> dict[str, Any]:
    """The same in a list, where the version that was asked for stands beside it."""
    return {"DeleteMarker": True, "DeleteMarkerVersionId": row.visible} if row is not None and row.marker else {}


def _echo(one: Members) -> dict[str, Any]:
    return {name: one[name] for name in ("Key", "VersionId") if one.get(name) is not None}


def _refused(one: Members, fault: Fault) -> dict[str, Any]:
    return {**_echo(one), "Code": fault.code, "Message": fault.message}
