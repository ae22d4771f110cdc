"""The watch on a clock that a test moves: each change is kept and told once, in one transaction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from alight.calls import Call, Members, Principal
from alight.clock import ManualClock
from alight.errors.cloudwatch import ResourceNotFound
from alight.names import topic_arn
from alight.notifications.message import TOPIC, Message, Topic
from alight.notifications.topics import Topics
from alight.services.cloudwatch.service import CloudWatch
from alight.store.database import Database
from alight.store.outbox import OutboxStore
from alight.store.records import Records
from alight.store.telemetry import Telemetry

ROOT = Principal("root", "arn:aws:iam::000000000000:root", "ROOT")
TELL = topic_arn("tell")


class Told(Topics):
    """Topics that remember what was published, and may refuse."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.messages: list[Message] = []
        self.refuses: Exception | None = None

    def publish(self, tx: Any, message: Message, attempt: Any = None, cause: str = "") -> str:
        if self.refuses is not None:
            raise self.refuses
        tx.after_commit(lambda: self.messages.append(message))
        return super().publish(tx, message, attempt)


@dataclass
class House:
    """The service over a real store, with its watch running."""

    clock: ManualClock
    telemetry: Telemetry
    records: Records
    topics: Told
    service: CloudWatch

    async def call(self, operation: str, **given: Any) -> Members:
        handler = self.service.operations()["cloudwatch", operation]
        return await handler(Call("cloudwatch", operation, "r", ROOT), given)

    async def put(self, **more: Any) -> None:
        given = {
            "AlarmName": "a", "Namespace": "N", "MetricName": "m", "Period": 60, "EvaluationPeriods": 1,
            "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum", "AlarmActions": [TELL],
        }  # fmt: skip
        await self.call("PutMetricAlarm", **given | more)

    async def alarm(self) -> Members:
        [shown] = (await self.call("DescribeAlarms", AlarmNames=["a"]))["MetricAlarms"]
        return dict(shown)

    async def becomes(self, state: str) -> Members:
        """Wait for it."""
        async with asyncio.timeout(20):
            while (shown := await self.alarm())["StateValue"] != state:
                await asyncio.sleep(0.01)
        # A row is seen before what follows its commit: this one comes behind it.
        await self.records.save(TOPIC, TELL, Topic(TELL).body())
        return shown

    async def minute(self, *values: float) -> None:
        """A minute with these values goes by."""
        for value in values:
            self.telemetry.metric("N", "m", value, {})
        await self.telemetry.flush()
        await asyncio.sleep(0)
        self.clock.advance(60)

    async def history(self, kind: str) -> list[str]:
        items = await self.call("DescribeAlarmHistory", HistoryItemType=kind, ScanBy="TimestampAscending")
        return [item["HistorySummary"] for item in items["AlarmHistoryItems"]]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = ManualClock(1_700_000_070.0)  # half a minute is over
    database, telemetry = await Database.open(tmp_path, clock, ballast=0), await Telemetry.open(tmp_path, clock)
    records = Records(database)
    topics = Told(OutboxStore(database), records, clock, lambda: None)
    await records.save(TOPIC, TELL, Topic(TELL).body())
    service = CloudWatch(database, records, telemetry, topics, clock)
    watching = asyncio.create_task(service.watch.run())
    yield House(clock, telemetry, records, topics, service)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await telemetry.close()
    await database.close()


async def looked(house: House) -> None:
    """Until the watch sleeps again: it has flushed and judged by then."""
    for _ in range(20):
        await asyncio.sleep(0.005)


async def test_an_alarm_goes_and_comes_back_and_tells_each_change_once(house: House) -> None:
    await house.put(OKActions=[TELL], AlarmDescription="too many")
    assert (await house.alarm())["StateReason"] == "Unchecked: Initial alarm creation"
    await house.minute(9)
    shown = await house.becomes("ALARM")
    assert "[9.0 (14/11/23 22:14:00)] was greater than the threshold (5.0)" in shown["StateReason"]
    assert json.loads(shown["StateReasonData"])["recentDatapoints"] == [9.0]
    for _ in range(2):
        await house.minute(8)
        await looked(house)
    assert len(house.topics.messages) == 1, "as long as it lasts, it is told once"
    await house.minute(1)
    await house.becomes("OK")
    first, second = house.topics.messages
    told = json.loads(first.body)
    assert (first.topic, first.subject) == (TELL, 'ALARM: "a" in US East (N. Virginia)')
    assert (told["NewStateValue"], told["OldStateValue"], told["AlarmDescription"]) == (
        "ALARM", "INSUFFICIENT_DATA", "too many",
    )  # fmt: skip
    assert told["Trigger"] == {
        "MetricName": "m", "Namespace": "N", "StatisticType": "Statistic", "Statistic": "SUM", "Unit": None,
        "Dimensions": [], "Period": 60, "EvaluationPeriods": 1, "DatapointsToAlarm": 1,
        "ComparisonOperator": "GreaterThanThreshold", "Threshold": 5.0, "TreatMissingData": "missing",
        "EvaluateLowSampleCountPercentile": "",
    }  # fmt: skip
    assert json.loads(second.body)["OldStateValue"] == "ALARM"
    assert await house.history("StateUpdate") == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to OK",
    ]
    assert await house.history("Action") == [f"Successfully executed action {TELL}"] * 2


async def test_a_new_alarm_is_looked_at_at_once(house: House) -> None:
    await house.minute(9)
    await looked(house)
    await house.put(ComparisonOperator="LessThanThreshold", OKActions=[TELL])
    await house.becomes("OK")
    assert [json.loads(message.body)["NewStateValue"] for message in house.topics.messages] == ["OK"]


async def test_no_change_is_kept_that_could_not_be_told(house: House) -> None:
    """State, history and message are one transaction."""
    house.topics.refuses = RuntimeError("no room")
    await house.put()
    await house.minute(9)
    await looked(house)
    assert (await house.alarm())["StateValue"] == "INSUFFICIENT_DATA"
    assert await house.history("StateUpdate") == []
    house.topics.refuses = None
    await house.minute(9)
    await house.becomes("ALARM")
    assert len(house.topics.messages) == 1


@pytest.mark.parametrize(("error", "traces"), [(apsw.IOError("disk I/O error"), 0), (RuntimeError("no room"), 1)])
async def test_a_disk_that_cannot_be_read_is_one_line_of_the_log(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception, traces: int
) -> None:
    def fails(*given: Any, **more: Any) -> Any:
        raise error

    monkeypatch.setattr(house.records, "list", fails)
    house.service.watch.look_at("a")
    async with asyncio.timeout(30):
        while not (lines := [one for one in caplog.records if "alarms wait a minute" in one.getMessage()]):
            await asyncio.sleep(0.005)
    assert [one.exc_info is not None for one in lines] == [bool(traces)]


async def test_actions_that_are_off_and_topics_that_are_gone(house: House) -> None:
    await house.put(AlarmActions=[topic_arn("gone"), TELL])
    await house.call("DisableAlarmActions", AlarmNames=["a", "nobody"])
    await house.call("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="a test")
    assert (await house.alarm())["StateReason"] == "a test"
    assert house.topics.messages == []
    await house.call("EnableAlarmActions", AlarmNames=["a"])
    await house.call("SetAlarmState", AlarmName="a", StateValue="OK", StateReason="a test")
    for _ in range(2):
        await house.call("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="a test")
    assert len(house.topics.messages) == 1
    assert await house.history("Action") == [
        f"Failed to execute action {topic_arn('gone')}", f"Successfully executed action {TELL}",
    ]  # fmt: skip
    with pytest.raises(ResourceNotFound):
        await house.call("SetAlarmState", AlarmName="b", StateValue="OK", StateReason="a test")


async def test_a_changed_definition_keeps_the_state_and_a_deleted_one_its_history(house: House) -> None:
    await house.put(Tags=[{"Key": "team", "Value": "birds"}])
    await house.call("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="a test")
    await house.put(TreatMissingData="ignore", Tags=[{"Key": "x", "Value": "y"}])
    shown = await house.alarm()
    assert (shown["StateValue"], shown["TreatMissingData"]) == ("ALARM", "ignore")
    tags = await house.call("ListTagsForResource", ResourceARN=shown["AlarmArn"])
    assert tags["Tags"] == [{"Key": "team", "Value": "birds"}]
    await house.call("DeleteAlarms", AlarmNames=["a", "nobody"])
    assert (await house.call("DescribeAlarms"))["MetricAlarms"] == []
    assert await house.history("ConfigurationUpdate") == ['Alarm "a" created', 'Alarm "a" updated', 'Alarm "a" deleted']
    house.clock.advance(31 * 86_400)
    await _eventually(lambda: not house.records.list("cloudwatch:alarm-history"))


async def _eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
