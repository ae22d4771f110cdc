"""A bucket's policy, its public access block and its ownership controls: put, shown, removed.

What the block forbids is refused when it is put; what is there already is ignored (`public`).
"""

from __future__ import annotations

from typing import Any

from alight.calls import Call, Handler, Members
from alight.errors.common import AccessDenied
from alight.errors.s3 import (
    InvalidBucketAclWithObjectOwnership,
    MalformedXML,
    NoSuchBucketPolicy,
    NoSuchPublicAccessBlockConfiguration,
    OwnershipControlsNotFoundError,
)
from alight.names import bucket_arn
from alight.services.s3.ground import Ground
from alight.services.s3.policy_form import read_policy
from alight.services.s3.publicity import policy_is_public
from alight.services.s3.sharing import (
    ACL,
    BLOCK,
    ENFORCED,
    FLAGS,
    OWNERSHIP,
    OWNERSHIPS,
    POLICY,
    PUBLIC_READ,
    block_of,
    ownership_of,
    policy_of,
)
from alight.store.database import Tx

_NO_CONTENT: Members = {"ResponseMetadata": {"HTTPStatusCode": 204}}


class Policies:
    """Handlers of all that says who may use a bucket."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketPolicy": self.get_policy,
            "PutBucketPolicy": self.put_policy,
            "DeleteBucketPolicy": self.delete_policy,
            "GetBucketPolicyStatus": self.get_policy_status,
            "GetPublicAccessBlock": self.get_block,
            "PutPublicAccessBlock": self.put_block,
            "DeletePublicAccessBlock": self.delete_block,
            "GetBucketOwnershipControls": self.get_ownership,
            "PutBucketOwnershipControls": self.put_ownership,
            "DeleteBucketOwnershipControls": self.delete_ownership,
        }

    async def get_policy(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        if POLICY not in bucket.settings:
            raise NoSuchBucketPolicy(BucketName=bucket.name)
        return {"Policy": bucket.settings[POLICY]}

    async def put_policy(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name
        text = str(given.get("Policy") or "")
        is_public = policy_is_public(read_policy(text, name))

        def job(tx: Tx) -> None:
            # Asked in the transaction: a block that was put meanwhile holds.
            if is_public and block_of(self._ground.require(tx, name).settings).block_public_policy:
                raise AccessDenied(
                    f"User: {call.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
                    f'"{bucket_arn(name)}" because public policies are blocked by the BlockPublicPolicy block public '
                    "access setting."
                )
            self._ground.require(tx, name)
            self._ground.objects.set_setting(tx, name, POLICY, text)

        await self._ground.database.write(job)
        return _NO_CONTENT

    async def delete_policy(self, call: Call, given: Members) -> Members:
        await self._ground.set(self._ground.bucket(given).name, POLICY, None)
        return {}

    async def get_policy_status(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        policy = policy_of(bucket.settings)
        if policy is None:
            raise NoSuchBucketPolicy(BucketName=bucket.name)
        # By its words alone: whether the access block holds them off is another question.
        return {"PolicyStatus": {"IsPublic": policy_is_public(policy)}}

    async def get_block(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        if bucket.settings.get(BLOCK) == {}:
            raise NoSuchPublicAccessBlockConfiguration(BucketName=bucket.name)
        return {"PublicAccessBlockConfiguration": block_of(bucket.settings).shown()}

    async def put_block(self, call: Call, given: Members) -> Members:
        """The whole configuration is replaced; what is not said is off."""
        name = self._ground.bucket(given).name
        said = given.get("PublicAccessBlockConfiguration") or {}
        await self._ground.set(name, BLOCK, {flag: bool(said.get(flag)) for flag in FLAGS})
        return {}

    async def delete_block(self, call: Call, given: Members) -> Members:
        # Kept as an empty one: no setting at all means a new bucket's, which blocks everything.
        await self._ground.set(self._ground.bucket(given).name, BLOCK, {})
        return {}

    async def get_ownership(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        ownership = ownership_of(bucket.settings)
        if not ownership:
            raise OwnershipControlsNotFoundError(BucketName=bucket.name)
        return {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}

    async def put_ownership(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name
        ownership = _ownership((given.get("OwnershipControls") or {}).get("Rules"))

        def job(tx: Tx) -> None:
            settings = self._ground.require(tx, name).settings
            if ownership == ENFORCED and settings.get(ACL) == PUBLIC_READ:
                raise InvalidBucketAclWithObjectOwnership(BucketName=name)
            self._ground.objects.set_setting(tx, name, OWNERSHIP, ownership)

        await self._ground.database.write(job)
        return {}

    async def delete_ownership(self, call: Call, given: Members) -> Members:
        await self._ground.set(self._ground.bucket(given).name, OWNERSHIP, "")
        return {}


def _ownership(rules: Any) -> str:
    """The one rule of ownership controls. Raises `MalformedXML`."""
    if not isinstance(rules, list) or len(rules) != 1 or rules[0].get("ObjectOwnership") not in OWNERSHIPS:
        raise MalformedXML
    return str(rules[0]["ObjectOwnership"])
