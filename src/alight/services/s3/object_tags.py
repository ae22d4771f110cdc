"""The tags of an object: read, replaced and removed without touching its bytes or times."""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.errors.s3 import NoSuchKey
from alight.events.event import TAGGING_DELETE, TAGGING_PUT
from alight.services.s3.ground import Ground, change
from alight.services.s3.tagging import OBJECT_TAGS, from_set, to_set
from alight.store.database import Tx


class ObjectTags:
    """Handlers of object tagging."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetObjectTagging": self.get_object_tagging,
            "PutObjectTagging": self.put_object_tagging,
            "DeleteObjectTagging": self.delete_object_tagging,
        }

    async def get_object_tagging(self, call: Call, given: Members) -> Members:
        row = self._ground.object(given)
        return {"TagSet": to_set(row.tags), **self._ground.version(row)}

    async def put_object_tagging(self, call: Call, given: Members) -> Members:
        tags = from_set(given["Tagging"].get("TagSet") or (), OBJECT_TAGS)
        return await self._set(call, given, tags, TAGGING_PUT)

    async def delete_object_tagging(self, call: Call, given: Members) -> Members:
        return await self._set(call, given, {}, TAGGING_DELETE)

    async def _set(self, call: Call, given: Members, tags: dict[str, str], event_name: str) -> Members:
        found = self._ground.object(given)

        def job(tx: Tx) -> None:
            home = self._ground.require(tx, found.bucket)
            row = self._ground.objects.change(tx, found.bucket, found.key, found.visible, tags=tags)
            if row is None:
                raise NoSuchKey(Key=found.key)
            self._ground.tell(tx, home, change(call, event_name, row, self._ground.clock.now()))

        await self._ground.database.write(job)
        return self._ground.version(found)
