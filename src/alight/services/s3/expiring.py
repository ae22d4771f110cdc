"""Lifecycle rules, carried out: what is due goes, with its event, in one transaction.

A pass looks at every bucket that has rules, with a connection of its own, and only notes the keys of which something is
due. Each batch of them is judged anew in the write job that deletes: what was changed meanwhile is not lost to an old
look. A pass that is interrupted leaves the rest to the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import groupby

from alight.calls import Call, Principal
from alight.events.event import LIFECYCLE_DELETE, LIFECYCLE_MARKER
from alight.names import new_request_id
from alight.services.s3.ground import Ground, change
from alight.services.s3.lifecycle_rules import Rule, due, ends, rules_of
from alight.store.database import Reader, Tx
from alight.store.shapes import Bucket
from alight.store.version_listing import all_versions, versions_of

#: Keys that one write job deletes.
BATCH = 100

#: Who S3's events of a lifecycle name.
SERVICE = "s3.amazonaws.com"


class Expiring:
    """`run` makes one pass over all buckets; call it now and then."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def run(self) -> int:
        """Delete what is due; how many keys and uploads that were."""
        done = 0
        for bucket in self._ground.objects.list_buckets():
            if rules_of(bucket.settings):
                done += await self._expire(bucket) + await self._abort(bucket)
        return done

    async def _expire(self, bucket: Bucket) -> int:
        done, after = 0, ""
        while True:
            look = partial(self._look, bucket=bucket, after=after)
            keys, after = await asyncio.to_thread(self._ground.database.run_apart, look)
            if keys:
                await self._ground.database.write(partial(self._delete, name=bucket.name, keys=keys))
                done += len(keys)
            if not after:
                return done

    def _lived(self) -> float:
        """Now, less what a clock that was set forward has skipped: that has made nothing older. Rather late than early,
        as nobody brings back what is deleted."""
        return self._ground.clock.now() - self._ground.clock.skipped()

    def _look(self, reader: Reader, bucket: Bucket, after: str) -> tuple[list[str], str]:
        """Keys of which something is due, and where to look on; nothing there at the end."""
        rules, now, found = rules_of(bucket.settings), self._lived(), list[str]()
        for key, versions in groupby(all_versions(reader, bucket.name, after), lambda one: one.row.key):
            if due(rules, [one.row for one in versions], now):
                found.append(key)
                if len(found) == BATCH:
                    return found, key
        return found, ""

    def _delete(self, tx: Tx, name: str, keys: Sequence[str]) -> None:
        bucket = self._ground.objects.get_bucket(name, tx)
        if bucket is None:
            return
        rules = rules_of(bucket.settings)
        for key in keys:
            self._delete_key(tx, bucket, rules, key)

    def _delete_key(self, tx: Tx, bucket: Bucket, rules: Sequence[Rule], key: str) -> None:
        objects, now = self._ground.objects, self._ground.clock.now()
        rows = [one.row for one in versions_of(tx, bucket.name, key)]
        found = due(rules, rows, self._lived()) if rows else None
        if not found:
            return
        call = Call("s3", "Lifecycle", new_request_id(), Principal("service", SERVICE, SERVICE), source_ip=SERVICE)
        for row in found.versions:
            objects.delete_version(tx, bucket.name, key, row.visible)
            gone = change(call, LIFECYCLE_DELETE, row, now, sequencer=objects.next_sequencer(tx))
            self._ground.tell(tx, bucket, gone)
        if found.current is not None:
            row = objects.delete(tx, bucket.name, key) or found.current
            event, place = LIFECYCLE_DELETE, objects.next_sequencer(tx)
            if row.marker:
                event, place = LIFECYCLE_MARKER, row.sequencer
            self._ground.tell(tx, bucket, change(call, event, row, now, sequencer=place))

    async def _abort(self, bucket: Bucket) -> int:
        """Give up the uploads that were not finished in time."""
        rules, now, done, key, name = rules_of(bucket.settings), self._lived(), 0, "", ""
        while page := self._ground.objects.list_uploads(bucket.name, "", key, name, BATCH):
            late = [one.id for one in page if (end := ends(rules, one)) is not None and end[0] <= now]
            if late:
                await self._ground.database.write(partial(self._give_up, ids=late))
                done += len(late)
            key, name = page[-1].key, page[-1].id
        return done

    def _give_up(self, tx: Tx, ids: Sequence[str]) -> None:
        for id in ids:
            self._ground.objects.abort(tx, id)
