"""Event source mappings: which queue wakes which function (CreateEventSourceMapping and its kind).

A mapping's state follows what its poller does: a request says what is wanted and leaves it `Creating`, `Updating`,
`Enabling`, `Disabling` or `Deleting`; `services/lambda_/pollers.py` carries that out and writes what it has become.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from alight import names
from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.lambda_ import ResourceInUseException
from alight.services.lambda_ import mapping_rules as rules
from alight.services.lambda_ import qualifiers
from alight.services.lambda_.mapping_rules import KIND, MappingRules
from alight.store.database import Database, Tx
from alight.store.records import Records

MOST_PER_PAGE = 100
MOST = 100_000
#: Members of the record that are Alight's own.
_OWN = ("Wanted", "Tags")


class Mappings:
    """The handlers. `wake` is called once a change is durable."""

    def __init__(
        self,
        database: Database,
        records: Records,
        clock: Clock,
        *,
        checks: MappingRules,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._records = records
        self._clock = clock
        self._checks = checks
        self._wake = wake

    async def create_event_source_mapping(self, call: Call, given: Members) -> Members:
        body = rules.settings(given, rules.DEFAULTS) | {
            "UUID": str(uuid.uuid4()),
            "EventSourceArn": rules.check_source(given.get("EventSourceArn")),
            "FunctionArn": _function(given["FunctionName"]),
            "Tags": given.get("Tags") or {},
        }
        self._checks.check(body)
        body |= self._state("Creating", given.get("Enabled") is not False)

        def job(tx: Tx) -> None:
            for known in self._records.list(KIND, limit=MOST, tx=tx):
                if all(known.body[member] == body[member] for member in ("EventSourceArn", "FunctionArn")):
                    raise rules.exists(body["EventSourceArn"], given["FunctionName"], known.name)
            self._put(tx, body)

        await self._database.write(job)
        return _shown(body)

    async def get_event_source_mapping(self, call: Call, given: Members) -> Members:
        return _shown(self._found(given["UUID"]))

    async def list_event_source_mappings(self, call: Call, given: Members) -> Members:
        limit = min(given.get("MaxItems") or MOST_PER_PAGE, MOST_PER_PAGE)
        function = _function(given["FunctionName"]) if given.get("FunctionName") else None
        found = [
            record.body
            for record in self._records.list(KIND, after=given.get("Marker") or "", limit=MOST)
            if function in (None, record.body["FunctionArn"])
            and given.get("EventSourceArn") in (None, record.body["EventSourceArn"])
        ]
        answer: Members = {"EventSourceMappings": [_shown(body) for body in found[:limit]]}
        return answer | ({"NextMarker": found[limit - 1]["UUID"]} if len(found) > limit else {})

    async def update_event_source_mapping(self, call: Call, given: Members) -> Members:
        before = self._found(given["UUID"])
        function = given.get("FunctionName")
        target = {"FunctionArn": _function(function)} if function else {}
        self._checks.check(rules.settings(given, before) | target)

        def job(tx: Tx) -> Members:
            body = rules.settings(given, self._found(given["UUID"], tx)) | target
            if body["State"] == "Deleting":
                raise ResourceInUseException(
                    "Cannot update the event source mapping because it is in use.", Type="User"
                )
            wanted = body["Wanted"] if given.get("Enabled") is None else given["Enabled"]
            state = "Updating" if wanted == body["Wanted"] else ("Enabling" if wanted else "Disabling")
            return self._put(tx, body | self._state(state, wanted))

        return _shown(await self._database.write(job))

    async def delete_event_source_mapping(self, call: Call, given: Members) -> Members:
        def job(tx: Tx) -> Members:
            return self._put(tx, self._found(given["UUID"], tx) | self._state("Deleting", False))

        return _shown(await self._database.write(job))

    def _state(self, state: str, wanted: bool) -> Members:
        return {
            "State": state,
            "StateTransitionReason": "USER_INITIATED",
            "LastModified": self._clock.now(),
            "Wanted": wanted,
        }

    def _put(self, tx: Tx, body: Members) -> Members:
        self._records.put(tx, KIND, body["UUID"], body)
        tx.after_commit(self._wake)
        return body

    def _found(self, name: str, tx: Tx | None = None) -> Members:
        record = self._records.get(KIND, name, tx)
        if record is None:
            raise rules.not_found()
        return record.body


def _function(text: str) -> str:
    """The ARN of a function by name or ARN, with its qualifier where it has one."""
    return names.function_arn(*qualifiers.split(text))


def _shown(body: Members) -> Members:
    """In AWS's members."""
    shown = {member: value for member, value in body.items() if member not in _OWN}
    return shown | {
        "EventSourceMappingArn": str(names.Arn("lambda", f"event-source-mapping:{body['UUID']}")),
        "LastModified": datetime.fromtimestamp(body["LastModified"], UTC),
    }
