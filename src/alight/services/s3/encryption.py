"""A bucket's default encryption: always S3's own (SSE-S3), which has nothing to act on here; other keys are refused."""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.errors.common import NotImplemented_
from alight.errors.s3 import MalformedXML
from alight.services.s3.ground import Ground

SETTING = "encryption"
ALGORITHM = "AES256"
_OTHERS = ("aws:kms", "aws:kms:dsse")


class Encryption:
    """Get, put and remove the configuration; a bucket without one answers what every new bucket has."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketEncryption": self.get_encryption,
            "PutBucketEncryption": self.put_encryption,
            "DeleteBucketEncryption": self.delete_encryption,
        }

    async def get_encryption(self, call: Call, given: Members) -> Members:
        key = bool(self._ground.bucket(given).settings.get(SETTING))
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": ALGORITHM}, "BucketKeyEnabled": key}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    async def put_encryption(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name
        rules = (given.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or []
        if len(rules) != 1:
            raise MalformedXML
        chosen = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
        algorithm = chosen.get("SSEAlgorithm")
        if algorithm in _OTHERS or chosen.get("KMSMasterKeyID") or rules[0].get("BlockedEncryptionTypes"):
            raise NotImplemented_(
                f"Alight does not support SSEAlgorithm {algorithm} with keys of your own of s3 PutBucketEncryption: "
                "protect the data folder's disk instead."
            )
        if algorithm != ALGORITHM:
            raise MalformedXML
        await self._ground.set(name, SETTING, bool(rules[0].get("BucketKeyEnabled")))
        return {}

    async def delete_encryption(self, call: Call, given: Members) -> Members:
        await self._ground.set(self._ground.bucket(given).name, SETTING, None)
        return {}
