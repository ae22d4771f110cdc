"""Access control lists, as far as owners need them: everything is the owner's; what would open it is refused.

Who may do what is a matter of IAM policies here, which is also S3's default since ACLs are off for new buckets.
"""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.errors.s3 import MalformedACLError
from alight.events.event import ACL_PUT
from alight.services.s3.ground import OWNER, Ground, change
from alight.services.s3.headers import check_acl


class Acls:
    """Get and put the one list that there is."""

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
        self._ground.bucket(given)
        return _owners()

    async def put_bucket_acl(self, call: Call, given: Members) -> Members:
        self._ground.bucket(given)
        _check(given)
        return {}

    async def get_object_acl(self, call: Call, given: Members) -> Members:
        self._ground.object(given)
        return _owners()

    async def put_object_acl(self, call: Call, given: Members) -> Members:
        row = self._ground.object(given)
        _check(given)
        said = change(call, ACL_PUT, row, self._ground.clock.now())
        await self._ground.database.write(lambda tx: self._ground.tell(tx, self._ground.require(tx, row.bucket), said))
        return {}


def _check(given: Members) -> None:
    if given.get("ACL") is None:
        raise MalformedACLError
    check_acl(given)


def _owners() -> Members:
    grantee = {"Type": "CanonicalUser", **OWNER}
    return {"Owner": OWNER, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}
