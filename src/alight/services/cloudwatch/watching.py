"""The watch: looks at every alarm once a minute, and tells of each change of state once.

The new state, its line in the history and the messages to topics are one transaction: after a crash an alarm has
either told or not changed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from alight.clock import Clock
from alight.errors.store import StoreUnavailable
from alight.notifications.message import TOPIC, Message
from alight.notifications.topics import Topics
from alight.services.cloudwatch import alarm, rules
from alight.services.cloudwatch.evaluation import Datum, Terms, Verdict, judge, reason_data, stamp, window
from alight.services.cloudwatch.history import History
from alight.services.cloudwatch.statistics import points, statistic
from alight.store.connections import trace
from alight.store.database import Database, Tx
from alight.store.minutes import MINUTE
from alight.store.records import Record, Records
from alight.store.telemetry import Telemetry
from alight.store.waiting import Alarm as Bell

log = logging.getLogger(__name__)

#: Seconds after a full minute at which alarms are looked at: what belongs to the minute is counted by then.
AFTER = 0.5
MOST_ALARMS = 100_000


class Watch:
    """`run` until cancelled; `look_at` a new alarm at once."""

    def __init__(
        self, database: Database, records: Records, telemetry: Telemetry, topics: Topics, history: History, clock: Clock
    ) -> None:
        self._database = database
        self._records = records
        self._telemetry = telemetry
        self._topics = topics
        self._history = history
        self._clock = clock
        self._bell = Bell(clock)
        self._new: set[str] = set()

    def look_at(self, name: str) -> None:
        """It was defined, or defined anew."""
        self._new.add(name)
        self._bell.ring()

    async def run(self) -> None:
        """Look, sleep until the next minute is over or somebody rings, look again."""
        due = 0.0
        try:
            while True:
                self._bell.clear()
                new, self._new = self._new, set()
                tick = self._clock.monotonic()
                is_due = tick >= due
                if is_due:
                    # Before the look: a minute that ends while it lasts is not slept over.
                    due = tick + MINUTE - self._clock.now() % MINUTE + AFTER
                if is_due or new:
                    await self._look_or_report(None if is_due else new)
                await self._bell.wait(due)
        finally:
            self._bell.close()

    async def _look_or_report(self, names: set[str] | None) -> None:
        """What goes wrong once must not end the watch."""
        try:
            await self._look(names)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.error("alarms wait a minute, they could not be looked at: %s", error, exc_info=trace(error))

    async def _look(self, names: set[str] | None) -> None:
        """At all alarms, or at some. One that cannot be judged does not keep the others from it."""
        if names is None:
            await self._history.forget(self._clock.now())
        records = self._records.list(alarm.KIND, limit=MOST_ALARMS)
        if not records:
            return
        await self._telemetry.flush()
        for record in records:
            if names is not None and record.name not in names:
                continue
            try:
                await self._judge(record)
            except StoreUnavailable:
                raise
            except Exception as error:
                log.error("the alarm %s could not be evaluated: %s", record.name, error, exc_info=trace(error))

    async def _judge(self, record: Record) -> None:
        body, now = record.body, self._clock.now()
        terms = alarm.terms(body)
        verdict = judge(terms, self._points(body, terms, now), body["State"]["Value"])
        if verdict.state == body["State"]["Value"]:
            return
        of = body.get("Statistic") or body["ExtendedStatistic"]
        data = reason_data(terms, of, body.get("Unit"), verdict, now)

        def job(tx: Tx) -> None:
            current = self._records.get(alarm.KIND, record.name, tx)
            # Redefined, deleted or set meanwhile: what was judged is no longer what stands there.
            if current is not None and current.body == body:
                self.change(tx, current, verdict, data)

        await self._database.insist(job)

    def _points(self, body: Mapping[str, Any], terms: Terms, now: float) -> list[Datum | None]:
        """The periods that an alarm looks at, newest first."""
        start, end = window(terms, now)
        of = statistic(body.get("Statistic") or body["ExtendedStatistic"], "Statistic")
        place = rules.dimensions(body.get("Dimensions"), "Dimensions")
        minutes = self._telemetry.minutes(body["Namespace"], body["MetricName"], place, start, end)
        wanted = [minute for minute in minutes if body.get("Unit") in (None, minute.unit)]
        found = {
            point.start: Datum(point.start, value)
            for point in points(wanted, start, terms.period, by_unit=False)
            if (value := of(point.tally)) is not None
        }
        return [found.get(moment) for moment in range(end - terms.period, start - 1, -terms.period)]

    def change(self, tx: Tx, record: Record, verdict: Verdict, data: str = "") -> None:
        """Another state: kept, remembered and told, all in `tx`."""
        now, before = self._clock.now(), record.body["State"]
        state = {"Value": verdict.state, "Reason": verdict.reason, "Updated": now, "Changed": now}
        body = record.body | {"State": state | ({"Data": data} if data else {})}
        self._records.put(tx, alarm.KIND, record.name, body)
        old = {"stateValue": before["Value"], "stateReason": before["Reason"]}
        new = {"stateValue": verdict.state, "stateReason": verdict.reason}
        self._history.add(
            tx,
            record.name,
            "StateUpdate",
            f"Alarm updated from {before['Value']} to {verdict.state}",
            {"oldState": old, "newState": new | ({"stateReasonData": data} if data else {})},
            now,
        )
        if body["ActionsEnabled"]:
            for action in body[alarm.ACTIONS[verdict.state]]:
                self._tell(tx, record.name, body, before["Value"], action, now)

    def _tell(self, tx: Tx, name: str, body: Mapping[str, Any], before: str, topic: str, now: float) -> None:
        """A topic that is gone must not undo the change."""
        done = {"notificationResource": topic, "stateUpdateTimestamp": stamp(now)}
        if self._records.get(TOPIC, topic, tx) is None:
            summary, done = (
                f"Failed to execute action {topic}",
                done | {"actionState": "Failed", "error": "no such topic"},
            )
        else:
            state = body["State"]["Value"]
            text = alarm.message(name, body, before, now)
            self._topics.publish(tx, Message(topic, text, alarm.subject(name, state)))
            summary, done = f"Successfully executed action {topic}", done | {"actionState": "Succeeded"}
        self._history.add(tx, name, "Action", summary, done, now)
