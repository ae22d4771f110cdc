"""What buckets here never have, as S3 says it of a bucket that was not given any: tools ask before they change things.

To set any of it is refused by name.
"""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.errors.s3 import ObjectLockConfigurationNotFoundError, ReplicationConfigurationNotFoundError
from alight.services.s3.ground import Ground


class Absent:
    """Handlers that answer for a bucket's defaults."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketAccelerateConfiguration": self.nothing,
            "GetBucketLogging": self.nothing,
            "GetBucketRequestPayment": self.get_request_payment,
            "GetBucketReplication": self.get_replication,
            "GetObjectLockConfiguration": self.get_object_lock,
        }

    async def nothing(self, call: Call, given: Members) -> Members:
        self._ground.bucket(given)
        return {}

    async def get_request_payment(self, call: Call, given: Members) -> Members:
        self._ground.bucket(given)
        return {"Payer": "BucketOwner"}

    async def get_replication(self, call: Call, given: Members) -> Members:
        raise ReplicationConfigurationNotFoundError(BucketName=self._ground.bucket(given).name)

    async def get_object_lock(self, call: Call, given: Members) -> Members:
        raise ObjectLockConfigurationNotFoundError(BucketName=self._ground.bucket(given).name)
