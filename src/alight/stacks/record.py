"""The record of one stack (kind `stack:stack`): what was applied, resource by resource, as it happened.

Body: `Template` (path), `Status`, `Reason`, `Parameters`, the sections that outputs need (`Conditions`, `Mappings`,
`Outputs`), `Resources` (logical id → `Entry` as a dict) and `Leftovers` (replaced or removed things that are
still to be deleted). It is saved before and after every step, so that a stack that was cut off can go on.

What happens to a stack and its resources is also told in CloudFormation's words: `StackStatus`, `StackStatusReason`
and `Statuses` (logical id → the last thing that happened) in the body, and one record (kind `stack:event`, newest first
by name) for each event, written together with the stack. A stack of CloudFormation's operations has an `Id` of its own
and what its work needs: `Definition`, `Previous`, `Caller` and the options it was asked with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from alight.calls import Members
from alight.names import new_request_id
from alight.stacks.resolve import Later, stack_arn
from alight.store.records import Records

KIND = "stack:stack"
#: Stacks that were deleted, by ARN.
GONE = "stack:gone"
EVENT = "stack:event"
#: Templates and change sets of CloudFormation's operations, by the stack's ARN and a name of their own.
TEMPLATE = "stack:template"
CHANGE_SET = "stack:changeset"
TYPE = "AWS::CloudFormation::Stack"
#: Names of events count down from here, so that the newest come first.
_MOST_EVENTS = 10**10
#: In what is known of a resource: that the rest of it is not to be shown.
NO_ECHO = "::NoEcho"
#: What nobody has to be shown of a resource's properties, because it is long.
_LONGEST_PROPERTIES = 8_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource as it was applied. `status`: `creating`, `updating` or `done`.

    `known` is what only the service could tell, `contents` the fingerprints of local files by property, `attempted` the
    properties of a change that was begun and did not come to its end.
    """

    type: str
    name: str
    status: str
    generation: int
    properties: Members
    attributes: Members
    known: Members = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    metadata: Members = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    retain: bool = False
    retain_replaced: bool = False
    retain_once_made: bool = False
    attempted: Members = field(default_factory=dict)

    def att(self, attribute: str) -> Any:
        """Raises `LookupError` where the resource has no such attribute."""
        everything = {**self.attributes, **self.known}
        if attribute not in everything:
            raise LookupError(f"{self.type} has no attribute {attribute}")
        return everything[attribute]


@dataclass(slots=True)
class Stack:
    """A stack in memory; `save` writes it down."""

    name: str
    body: Members
    entries: dict[str, Entry]
    leftovers: list[tuple[str, Entry]]
    #: What has happened and is not written down yet.
    events: list[Members] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return str(self.body.get("Id") or stack_arn(self.name))

    @property
    def status(self) -> str:
        return str(self.body.get("StackStatus", ""))

    def turn(self, now: float, status: str, reason: str = "") -> None:
        """The stack as a whole is now in that status."""
        reason = masked(reason, self._secrets())
        self.body |= {"StackStatus": status, "StackStatusReason": reason}
        self._tell(now, self.name, self.arn, TYPE, status, reason)

    def note(
        self, now: float, logical_id: str, entry: Entry, status: str, reason: str = "", *, current: bool = True
    ) -> None:
        """Something happened to one resource, or to the one before it (not `current`): of that only the events tell."""
        physical, reason = physical_id(entry), masked(reason, self._secrets())
        if current:
            self.body.setdefault("Statuses", {})[logical_id] = {
                "Type": entry.type, "Physical": physical, "Status": status, "Reason": reason, "Time": now,
            }  # fmt: skip
        self._tell(now, logical_id, physical, entry.type, status, reason, masked(entry.properties, self._secrets()))

    def _secrets(self) -> list[str]:
        """Values of parameters and of custom resources that are marked NoEcho."""
        definition = self.body.get("Definition") or {}
        found = [definition["Given"][name] for name in definition.get("Hidden", ())]
        for entry in self.entries.values():
            if entry.known.get(NO_ECHO):
                found += [str(value) for name, value in entry.known.items() if name not in (NO_ECHO, "Ref")]
        return [text for text in found if text]

    def _tell(
        self, now: float, logical_id: str, physical: str, kind: str, status: str, reason: str,
        properties: Members | None = None,
    ) -> None:  # fmt: skip
        text = json.dumps(properties, ensure_ascii=False) if properties is not None else ""
        self.events.append(
            {
                "StackId": self.arn,
                "StackName": self.name,
                "EventId": new_request_id(),
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": physical,
                "ResourceType": kind,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "ResourceProperties": text if len(text) <= _LONGEST_PROPERTIES else "",
                "ClientRequestToken": self.body.get("ClientRequestToken", ""),
                "Time": now,
            }
        )

    async def save(self, records: Records) -> None:
        """The stack and what has happened since it was saved last, together."""
        await records.save_all([*self._told(), (KIND, self.name, self._whole())])

    async def close(self, records: Records) -> None:
        """The stack is gone: its name is free, its ARN still finds what it was."""
        await records.save_all([*self._told(), (KIND, self.name, None), (GONE, self.arn, self._whole())])

    def _told(self) -> Iterator[tuple[str, str, Members]]:
        # What is noted while this is being written belongs to the next time.
        events, self.events = self.events, []
        first = self.body.get("Told", 0)
        self.body["Told"] = first + len(events)
        for number, event in enumerate(events, first):
            yield EVENT, f"{self.arn}/{_MOST_EVENTS - number:011d}", event

    def _whole(self) -> Members:
        resources = {logical_id: asdict(entry) for logical_id, entry in self.entries.items()}
        leftovers = [{"logical_id": logical_id, "entry": asdict(entry)} for logical_id, entry in self.leftovers]
        return {**self.body, "Resources": resources, "Leftovers": leftovers}


def masked(value: Any, secrets: list[str]) -> Any:
    """`value` without these texts, wherever they stand in it."""
    if isinstance(value, dict):
        return {name: masked(item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, secrets) for item in value]
    for secret in secrets if isinstance(value, str) else ():
        value = value.replace(secret, "****")
    return value


def physical_id(entry: Entry) -> str:
    """What `Ref` says, as far as it is known."""
    ref = {**entry.attributes, **entry.known}.get("Ref", "")
    return str(ref) if isinstance(ref, str | int) and not isinstance(ref, Later) else entry.name


def all_stacks(records: Records) -> Iterator[Stack]:
    """Every stack, by name."""
    after = ""
    while page := records.list(KIND, after=after):
        yield from (stack_of(record.name, record.body) for record in page)
        after = page[-1].name


def open_stack(records: Records, name: str) -> Stack:
    """The stack of that name as it was left, or an empty one."""
    record = records.get(KIND, name)
    return stack_of(name, record.body if record else {})


def stack_of(name: str, body: Members) -> Stack:
    entries = {logical_id: _entry(values) for logical_id, values in body.get("Resources", {}).items()}
    leftovers = [(item["logical_id"], _entry(item["entry"])) for item in body.get("Leftovers", [])]
    rest = {key: value for key, value in body.items() if key not in ("Resources", "Leftovers")}
    return Stack(name, rest, entries, leftovers)


def _entry(values: Members) -> Entry:
    return Entry(**{**values, "needs": tuple(values["needs"])})
