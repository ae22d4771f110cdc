"""What nobody waits for: leftovers of crashes at the start, and once an hour whatever is older than its time."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from alight.assembly.running import Running
from alight.assembly.store import FETCHED, FUNCTIONS, Store
from alight.errors.store import Damaged
from alight.functions.package import discard_unused
from alight.services.lambda_.layers import layer_folders
from alight.services.lambda_.places import all_of
from alight.services.lambda_.sealing import seal_what_is_not
from alight.services.logs.retention import forget
from alight.stacks.service.forgetting import forget_gone
from alight.store import journal
from alight.store.connections import trace

log = logging.getLogger("alight")

INTERVAL = 3600.0
#: Rows dropped in one transaction, so that nobody waits long behind it.
BATCH = 1000


async def tidy_before_serving(store: Store, running: Running) -> None:
    """Remove function code that no record names, and copies of packages that were unpacked, and seal code that is not;
    nothing runs yet."""
    folder, keep = store.settings.data / FUNCTIONS, list[Path]()
    for body in running.catalogue.everything():
        keep += all_of(body, folder)
    keep += layer_folders(store.records, folder)
    await asyncio.to_thread(discard_unused, folder, keep)
    await seal_what_is_not(store.database, store.records, folder)
    await asyncio.to_thread(shutil.rmtree, store.settings.data / FETCHED, ignore_errors=True)


async def keep_tidy(store: Store, expire: Callable[[], Awaitable[int]]) -> None:
    """Until cancelled. `expire` carries out the buckets' lifecycle rules. A failure is logged, and the next turn tries
    again."""
    try:
        await store.objects.sweep()
    except Exception as error:
        log.error("leftovers of a crash wait for the next start: %s", error, exc_info=trace(error))
    while True:
        for work in (lambda: forget_what_is_old(store), expire):
            try:
                await work()
            except Exception as error:
                log.error("housekeeping failed, it is tried again in an hour: %s", error, exc_info=trace(error))
        await store.clock.sleep(INTERVAL)


async def forget_what_is_old(store: Store) -> None:
    """Handled events, telemetry and deleted stacks that are older than `retention_days`, lines of groups that have a
    retention of their own by that one; outbox and queues forget by themselves."""
    # What a clock that was set forward has skipped has made nothing older.
    now = store.clock.now() - store.clock.skipped()
    before = now - store.settings.retention_days * 86_400
    place: int | None = 0
    while place is not None:
        rows, place = journal.old(store.database.read(), place, before, BATCH)
        if rows:
            await store.database.write(lambda tx, rows=rows: journal.forget(tx, rows))  # type: ignore[misc]
    await forget(store.records, store.telemetry, now, store.settings.retention_days)
    await forget_gone(store.records, before)


def report_damage(damage: Damaged) -> None:
    """A row that does not match its checksum was met; it was not used."""
    log.error("damaged: %s", damage.message)
