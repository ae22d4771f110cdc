"""What is forgotten of logs: by the group's own retention, or else by that of the instance."""

from __future__ import annotations

from alight.services.logs.places import KIND
from alight.store.records import Records
from alight.store.telemetry import Telemetry

DAY = 86_400


async def forget(records: Records, telemetry: Telemetry, now: float, days: float) -> None:
    """Forget telemetry older than `days`; lines of groups with a retention of their own by that one."""
    own = {
        record.name: record.body["retentionInDays"]
        for record in records.list(KIND, limit=100_000)
        if "retentionInDays" in record.body
    }
    await telemetry.prune(now - days * DAY, spared=frozenset(own))
    for group, kept in own.items():
        await telemetry.prune(now - kept * DAY, group=group)
