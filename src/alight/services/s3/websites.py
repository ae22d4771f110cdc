"""A bucket's website configuration: put, shown, removed. It is served by `site`."""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.errors.s3 import NoSuchWebsiteConfiguration
from alight.services.s3.ground import Ground
from alight.services.s3.site_rules import checked

WEBSITE = "website"


class Websites:
    """Handlers of the configuration."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketWebsite": self.get_website,
            "PutBucketWebsite": self.put_website,
            "DeleteBucketWebsite": self.delete_website,
        }

    async def get_website(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        if WEBSITE not in bucket.settings:
            raise NoSuchWebsiteConfiguration(BucketName=bucket.name)
        return dict(bucket.settings[WEBSITE])

    async def put_website(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name
        await self._ground.set(name, WEBSITE, checked(given.get("WebsiteConfiguration") or {}))
        return {}

    async def delete_website(self, call: Call, given: Members) -> Members:
        await self._ground.set(self._ground.bucket(given).name, WEBSITE, None)
        return {}
