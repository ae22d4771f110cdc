"""What happened to alarms: configured, changed state, told somebody. Kept for thirty days, also of deleted alarms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alight.calls import Members
from alight.errors.cloudwatch import InvalidNextToken, InvalidParameterValue
from alight.names import new_short_id
from alight.store.database import Database, Tx
from alight.store.records import Records

KIND = "cloudwatch:alarm-history"
KEEP_SECONDS = 30 * 86_400
PAGE = 100
#: Items that are looked at for one answer, and forgotten in one transaction.
MOST, BATCH = 100_000, 500
TYPES = frozenset({"ConfigurationUpdate", "StateUpdate", "Action"})


class History:
    """Items are records named by their moment, so that their order is that of time."""

    def __init__(self, database: Database, records: Records) -> None:
        self._database = database
        self._records = records
        #: The last item's moment; the writer's thread alone uses it. No two items are of the same one.
        self._last = 0

    def add(self, tx: Tx, alarm: str, kind: str, summary: str, data: Mapping[str, Any], now: float) -> None:
        """One item, in the transaction of what it tells."""
        body = {
            "AlarmName": alarm,
            "Moment": now,
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps({"version": "1.0", **data}, ensure_ascii=False, separators=(",", ":")),
        }
        self._last = max(_micros(now), self._last + 1)
        self._records.put(tx, KIND, f"{self._last:020d}-{new_short_id()}", body)

    def page(self, given: Members) -> Members:
        """DescribeAlarmHistory."""
        kind, most = given.get("HistoryItemType"), given.get("MaxRecords") or PAGE
        if not 1 <= most <= PAGE:
            raise InvalidParameterValue(f"The value {most} for parameter MaxRecords is invalid: 1 to {PAGE}.")
        start, end = given.get("StartDate"), given.get("EndDate")
        is_ours = kind in (None, *TYPES) and "MetricAlarm" in (given.get("AlarmTypes") or ["MetricAlarm"])
        if not is_ours:
            return {"AlarmHistoryItems": []}
        ascending = given.get("ScanBy") == "TimestampAscending"
        found = [
            (record.name, record.body)
            for record in self._records.list(KIND, limit=MOST)
            if given.get("AlarmName") in (None, record.body["AlarmName"])
            and kind in (None, record.body["HistoryItemType"])
            and (start is None or record.body["Moment"] >= start.timestamp())
            and (end is None or record.body["Moment"] <= end.timestamp())
        ]
        if not ascending:
            found.reverse()
        token = given.get("NextToken")
        if token:
            places = [place for place, (name, _) in enumerate(found) if name == token]
            if not places:
                raise InvalidNextToken
            found = found[places[0] + 1 :]
        answer: Members = {"AlarmHistoryItems": [_shown(body) for _, body in found[:most]]}
        return answer | ({"NextToken": found[most - 1][0]} if len(found) > most else {})

    async def forget(self, now: float) -> None:
        """What is older than AWS keeps it."""
        before = f"{_micros(now - KEEP_SECONDS):020d}"
        while old := [record.name for record in self._records.list(KIND, limit=BATCH) if record.name < before]:
            await self._database.write(lambda tx, names=old: [self._records.delete(tx, KIND, name) for name in names])  # type: ignore[misc]


def _micros(moment: float) -> int:
    return int(moment * 1e6)


def _shown(body: Mapping[str, Any]) -> Members:
    return {
        "AlarmName": body["AlarmName"],
        "AlarmType": "MetricAlarm",
        "Timestamp": datetime.fromtimestamp(body["Moment"], UTC),
        "HistoryItemType": body["HistoryItemType"],
        "HistorySummary": body["HistorySummary"],
        "HistoryData": body["HistoryData"],
    }
