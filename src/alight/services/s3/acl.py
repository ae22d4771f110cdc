"""Access control lists: canned ones, where the bucket's ownership rule has any at all.

Everything belongs to the one account, so an ACL can do a single thing: let everybody read (`public-read`). Buckets
start without ACLs, as on AWS; who may do what is a matter of policies.
"""

from __future__ import annotations

from typing import Any

from alight.calls import Call, Handler, Members
from alight.errors.common import AccessDenied
from alight.errors.s3 import AccessControlListNotSupported, MalformedACLError
from alight.events.event import ACL_PUT
from alight.names import bucket_arn
from alight.services.s3.ground import OWNER, Ground, change
from alight.services.s3.headers import check_acl
from alight.services.s3.sharing import ACL, PUBLIC_READ, allows_acls, block_of
from alight.store.database import Tx
from alight.store.shapes import Bucket

_EVERYBODY = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}


class Acls:
    """Get and put the lists of buckets and objects."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketAcl": self.get_bucket_acl,
            "PutBucketAcl": self.put_bucket_acl,
            "GetObjectAcl": self.get_object_acl,
            "PutObjectAcl": self.put_object_acl,
        }

    async def get_bucket_acl(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        return _shown(bucket, bucket.settings.get(ACL))

    async def put_bucket_acl(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name
        _require(given)

        def job(tx: Tx) -> None:
            acl = acl_for(call, self._ground.require(tx, name), given)
            self._ground.objects.set_setting(tx, name, ACL, acl)

        await self._ground.database.write(job)
        return {}

    async def get_object_acl(self, call: Call, given: Members) -> Members:
        return _shown(self._ground.bucket(given), self._ground.object(given).acl)

    async def put_object_acl(self, call: Call, given: Members) -> Members:
        row = self._ground.object(given)
        _require(given)
        said = change(call, ACL_PUT, row, self._ground.clock.now())

        def job(tx: Tx) -> None:
            bucket = self._ground.require(tx, row.bucket)
            acl = acl_for(call, bucket, given)
            self._ground.objects.change(tx, row.bucket, row.key, row.visible, acl=acl)
            self._ground.tell(tx, bucket, said)

        await self._ground.database.write(job)
        return {}


def acl_for(call: Call, bucket: Bucket, given: Members) -> str | None:
    """The ACL to keep with a bucket or with one of its objects: `public-read` or none.

    Raises `AccessControlListNotSupported` where the bucket has no ACLs, `AccessDenied` where public ones are blocked.
    """
    check_acl(given)
    if given.get("ACL") != PUBLIC_READ:
        return None
    if not allows_acls(bucket.settings):
        raise AccessControlListNotSupported
    if block_of(bucket.settings).block_public_acls:
        key = str(given.get("Key") or "")
        raise AccessDenied(
            f"User: {call.principal.arn} is not authorized to perform: s3:{'PutObjectAcl' if key else 'PutBucketAcl'} "
            f'on resource: "{bucket_arn(bucket.name, key)}" because public access control lists (ACLs) are blocked by '
            "the BlockPublicAcls block public access setting."
        )
    return PUBLIC_READ


def _require(given: Members) -> None:
    if given.get("ACL") is None:
        raise MalformedACLError


def _shown(bucket: Bucket, acl: Any) -> Members:
    """Owner and grants. Where ownership takes the ACLs out of force, only the owner's grant is there to be seen."""
    grants: list[Members] = [{"Grantee": {"Type": "CanonicalUser", **OWNER}, "Permission": "FULL_CONTROL"}]
    if acl == PUBLIC_READ and allows_acls(bucket.settings):
        grants.append({"Grantee": _EVERYBODY, "Permission": "READ"})
    return {"Owner": OWNER, "Grants": grants}
