"""A bucket's lifecycle configuration: put, shown, removed. `expiring` carries it out."""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.errors.s3 import NoSuchLifecycleConfiguration
from alight.services.s3.ground import Ground
from alight.services.s3.lifecycle_form import read_rules, shown_rules
from alight.services.s3.lifecycle_rules import SETTING

_SMALLEST = "TransitionDefaultMinimumObjectSize"


class Lifecycle:
    """Handlers of the configuration."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketLifecycleConfiguration": self.get_configuration,
            "PutBucketLifecycleConfiguration": self.put_configuration,
            "DeleteBucketLifecycle": self.delete_configuration,
        }

    async def get_configuration(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        kept = bucket.settings.get(SETTING)
        if not kept:
            raise NoSuchLifecycleConfiguration(BucketName=bucket.name)
        return {"Rules": shown_rules(kept["Rules"]), _SMALLEST: kept[_SMALLEST]}

    async def put_configuration(self, call: Call, given: Members) -> Members:
        """The whole configuration is replaced."""
        name = self._ground.bucket(given).name
        smallest = given.get(_SMALLEST) or "all_storage_classes_128K"
        rules = read_rules(given.get("LifecycleConfiguration") or {})
        await self._ground.set(name, SETTING, {"Rules": rules, _SMALLEST: smallest})
        return {_SMALLEST: smallest}

    async def delete_configuration(self, call: Call, given: Members) -> Members:
        await self._ground.set(self._ground.bucket(given).name, SETTING, None)
        return {}
