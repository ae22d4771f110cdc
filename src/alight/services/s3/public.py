"""What strangers may do to a bucket: by its policy, by ACLs where it has them, and never past its access block.

`Access` joins the bucket's settings and the judgement of policies, which the gateway's room lends (`judge`). It
answers for requests that nobody signed, at the API and at the website, and gives the policies that the authorizer
asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from alight.calls import Call, Members
from alight.errors.s3 import NoSuchBucket
from alight.names import bucket_arn
from alight.services.permissions import condition_keys, needs
from alight.services.s3.publicity import policy_is_public
from alight.services.s3.sharing import ACL, acl_opens, block_of, policy_of
from alight.store.objects import ObjectStore
from alight.store.shapes import Bucket, ObjectRow

Keys = Mapping[str, str | tuple[str, ...]]
#: (policy, action, resource, call, condition keys) -> allowed, denied, or None where it says nothing.
Judge = Callable[[Members, str, str, Call, Keys], bool | None]

GET, LIST = "s3:GetObject", "s3:ListBucket"


class Access:
    """Says what is open to everybody. Reads what is committed; changes nothing."""

    def __init__(self, objects: ObjectStore, judge: Judge) -> None:
        self._objects = objects
        self._judge = judge

    def policies_of(self, resource: str) -> Sequence[Members]:
        """The policy of the bucket that an ARN is about, if it is one and has one."""
        # Not `parse_arn`, which remembers what it was asked: each object has an ARN of its own.
        parts = resource.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or parts[2] != "s3":
            return ()
        bucket = self._objects.get_bucket(parts[5].partition("/")[0])
        policy = policy_of(bucket.settings) if bucket else None
        return (policy,) if policy else ()

    def public(self, call: Call, given: Members) -> bool:
        """May anybody do this? Raises `NoSuchBucket`: S3 tells strangers which buckets there are."""
        if call.service != "s3" or "Bucket" not in given:
            return False
        bucket = self._objects.get_bucket(str(given["Bucket"]))
        if bucket is None:
            raise NoSuchBucket(BucketName=given["Bucket"])
        row = self._named(bucket, given) if "Key" in given else None
        keys = condition_keys(call.service, call.operation, given)
        asked = needs(call.service, call.operation, given)
        if not asked or not all(self._may(call, bucket, action, resource, row, keys) for action, resource in asked):
            return False
        reads = call.operation in ("GetObject", "HeadObject")
        # That a key is not there is told to those who could have seen it in a listing.
        return row is not None or not reads or self.may_list(call, bucket)

    def _named(self, bucket: Bucket, given: Members) -> ObjectRow | None:
        return self._objects.get(bucket.name, str(given["Key"]), version=str(given.get("VersionId") or ""))

    def may_get(self, call: Call, bucket: Bucket, key: str, row: ObjectRow | None) -> bool:
        """May anybody read this object, be it there or not?"""
        return self._may(call, bucket, GET, bucket_arn(bucket.name, key), row, {})

    def may_list(self, call: Call, bucket: Bucket) -> bool:
        """May anybody know which keys there are?"""
        return self._may(call, bucket, LIST, bucket_arn(bucket.name), None, {})

    def _may(self, call: Call, bucket: Bucket, action: str, resource: str, row: ObjectRow | None, keys: Keys) -> bool:
        policy = policy_of(bucket.settings)
        judged = None if policy is None else self._judge(policy, action, resource, call, keys)
        if judged is False:
            return False
        if judged and policy is not None:
            restricted = block_of(bucket.settings).restrict_public_buckets and policy_is_public(policy)
            if not restricted:
                return True
        return _acl_allows(bucket, action, row)


def _acl_allows(bucket: Bucket, action: str, row: ObjectRow | None) -> bool:
    """A bucket's ACL opens its listing, an object's the object."""
    if action == LIST:
        return acl_opens(bucket.settings, bucket.settings.get(ACL))
    return action == GET and row is not None and acl_opens(bucket.settings, row.acl)
