"""Operations on alarms: put, described, deleted, set, switched on and off; their history and tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.cloudwatch import InvalidFormat, InvalidNextToken, InvalidParameterValue, ResourceNotFound
from alight.errors.common import NotImplemented_, ValidationError
from alight.parsed import parsed
from alight.services.cloudwatch import alarm, rules
from alight.services.cloudwatch.evaluation import Verdict
from alight.services.cloudwatch.history import History
from alight.services.cloudwatch.watching import MOST_ALARMS, Watch
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

#: Alarms on one page, and names in one request.
PAGE = 50
MOST_NAMES = 100
STATES = frozenset(alarm.ACTIONS)


class Alarms:
    """The handlers."""

    def __init__(self, database: Database, records: Records, watch: Watch, history: History, clock: Clock) -> None:
        self._database = database
        self._records = records
        self._watch = watch
        self._history = history
        self._clock = clock

    async def put_metric_alarm(self, call: Call, given: Members) -> Members:
        alarm.check(given)
        name, now = given["AlarmName"], self._clock.now()

        def job(tx: Tx) -> None:
            known = self._records.get(alarm.KIND, name, tx)
            body = alarm.record(given, known.body if known else None, now)
            self._records.put(tx, alarm.KIND, name, body)
            kind, done = ("Update", "updated") if known else ("Create", "created")
            told = {"type": kind, f"{done}Alarm": _plain(name, body)}
            self._history.add(tx, name, "ConfigurationUpdate", f'Alarm "{name}" {done}', told, now)

        await self._database.write(job)
        self._watch.look_at(name)
        return {}

    async def delete_alarms(self, call: Call, given: Members) -> Members:
        """Names that are not there are passed over, as AWS does."""
        names, now = _names(given), self._clock.now()

        def job(tx: Tx) -> None:
            for name in dict.fromkeys(names):
                known = self._records.get(alarm.KIND, name, tx)
                if known is not None:
                    self._records.delete(tx, alarm.KIND, name)
                    told = {"type": "Delete", "deletedAlarm": _plain(name, known.body)}
                    self._history.add(tx, name, "ConfigurationUpdate", f'Alarm "{name}" deleted', told, now)

        await self._database.write(job)
        return {}

    async def set_alarm_state(self, call: Call, given: Members) -> Members:
        """Until the next look; the actions of the new state are carried out where it is another one."""
        state, data = given["StateValue"], given.get("StateReasonData") or ""
        if state not in STATES:
            raise InvalidParameterValue(f"The value {state} for parameter StateValue is not supported.")
        if data:
            try:
                parsed(data)
            except ValueError:
                raise InvalidFormat("StateReasonData was not valid JSON") from None

        def job(tx: Tx) -> None:
            known = self._records.get(alarm.KIND, given["AlarmName"], tx)
            if known is None:
                raise ResourceNotFound
            if known.body["State"]["Value"] != state:
                self._watch.change(tx, known, Verdict(state, given["StateReason"]), data)

        await self._database.write(job)
        return {}

    async def enable_alarm_actions(self, call: Call, given: Members) -> Members:
        return await self._switch(_names(given), on=True)

    async def disable_alarm_actions(self, call: Call, given: Members) -> Members:
        return await self._switch(_names(given), on=False)

    async def _switch(self, names: list[str], *, on: bool) -> Members:
        def job(tx: Tx) -> None:
            for name in names:
                known = self._records.get(alarm.KIND, name, tx)
                if known is not None:
                    self._records.put(tx, alarm.KIND, name, known.body | {"ActionsEnabled": on})

        await self._database.write(job)
        return {}

    async def describe_alarms(self, call: Call, given: Members) -> Members:
        names, prefix = given.get("AlarmNames") or [], given.get("AlarmNamePrefix")
        if names and prefix is not None:
            raise ValidationError("AlarmNamePrefix and AlarmNames cannot be specified at the same time.")
        if len(names) > MOST_NAMES:
            raise ValidationError(f"The collection AlarmNames must not have a size greater than {MOST_NAMES}.")
        most = given.get("MaxRecords") or PAGE
        if not 1 <= most <= MOST_NAMES:
            raise InvalidParameterValue(f"The value {most} for parameter MaxRecords is invalid: 1 to {MOST_NAMES}.")
        if "MetricAlarm" not in (given.get("AlarmTypes") or ["MetricAlarm"]):
            return {"MetricAlarms": [], "CompositeAlarms": []}
        action, state = given.get("ActionPrefix"), given.get("StateValue")

        def wanted(record: Record) -> bool:
            actions = [one for member in alarm.ACTIONS.values() for one in record.body[member]]
            return (
                (not names or record.name in names)
                and state in (None, record.body["State"]["Value"])
                and (action is None or any(one.startswith(action) for one in actions))
            )

        found = [record for record in self._all(prefix or "") if wanted(record)]
        token = given.get("NextToken")
        if token is not None:
            found = _behind(found, token)
        answer: Members = {
            "MetricAlarms": [alarm.described(record.name, record.body) for record in found[:most]],
            "CompositeAlarms": [],
        }
        return answer | ({"NextToken": found[most - 1].name.encode().hex()} if len(found) > most else {})

    async def describe_alarms_for_metric(self, call: Call, given: Members) -> Members:
        place = rules.dimensions(given.get("Dimensions"), "Dimensions")

        def wanted(body: dict[str, Any]) -> bool:
            same = all(
                given.get(member) in (None, body.get(member))
                for member in ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit")
            )
            return same and rules.dimensions(body.get("Dimensions"), "Dimensions") == place

        found = [record for record in self._all() if wanted(record.body)]
        return {"MetricAlarms": [alarm.described(record.name, record.body) for record in found]}

    async def describe_alarm_history(self, call: Call, given: Members) -> Members:
        return self._history.page(given)

    async def tag_resource(self, call: Call, given: Members) -> Members:
        return await self._retag(given, lambda tags: tags | {tag["Key"]: tag["Value"] for tag in given["Tags"]})

    async def untag_resource(self, call: Call, given: Members) -> Members:
        gone = set(given["TagKeys"])
        return await self._retag(given, lambda tags: {key: tags[key] for key in tags.keys() - gone})

    async def list_tags_for_resource(self, call: Call, given: Members) -> Members:
        tags = self._tagged(given["ResourceARN"], None).body["Tags"]
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}

    async def _retag(self, given: Members, change: Callable[[dict[str, str]], dict[str, str]]) -> Members:
        def job(tx: Tx) -> None:
            known = self._tagged(given["ResourceARN"], tx)
            self._records.put(tx, alarm.KIND, known.name, known.body | {"Tags": change(known.body["Tags"])})

        await self._database.write(job)
        return {}

    def _tagged(self, resource: str, tx: Tx | None) -> Record:
        """Raises where there is no such alarm; what else has tags on AWS is not offered."""
        before, _, name = resource.partition(":alarm:")
        if not name or before != alarm.arn("").removesuffix(":alarm:"):
            raise NotImplemented_(f"Alight has tags of alarms only, not of {resource}.")
        known = self._records.get(alarm.KIND, name, tx)
        if known is None:
            raise ResourceNotFound
        return known

    def _all(self, prefix: str = "") -> list[Record]:
        return self._records.list(alarm.KIND, prefix, limit=MOST_ALARMS)


def _names(given: Members) -> list[str]:
    names: list[str] = given["AlarmNames"]
    if len(names) > MOST_NAMES:
        raise ValidationError(f"The collection AlarmNames must not have a size greater than {MOST_NAMES}.")
    return names


def _behind(found: list[Record], token: str) -> list[Record]:
    try:
        last = bytes.fromhex(token).decode()
    except ValueError:
        raise InvalidNextToken from None
    return [record for record in found if record.name > last]


def _plain(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """An alarm's definition, for its history."""
    return {"alarmName": name} | {
        member[0].lower() + member[1:]: body[member]
        for member in (*alarm.DEFINITION, *alarm.ACTIONS.values(), "ActionsEnabled")
        if member in body
    }
