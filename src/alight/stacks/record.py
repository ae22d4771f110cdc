"""The record of one stack (kind `stack:stack`): what was applied, resource by resource, as it happened.

Body: `Template` (path), `Status`, `Reason`, `Parameters`, the sections that outputs need (`Conditions`, `Mappings`,
`Outputs`), `Resources` (logical id → `Entry` as a dict) and `Leftovers` (replaced or removed things that are
still to be deleted). It is saved before and after every step, so that a stack that was cut off can go on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from alight.calls import Members
from alight.store.records import Records

KIND = "stack:stack"


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource as it was applied. `status`: `creating`, `updating` or `done`.

    `known` is what only the service could tell, `contents` the fingerprints of local files by property.
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

    async def save(self, records: Records) -> None:
        resources = {logical_id: asdict(entry) for logical_id, entry in self.entries.items()}
        leftovers = [{"logical_id": logical_id, "entry": asdict(entry)} for logical_id, entry in self.leftovers]
        await records.save(KIND, self.name, {**self.body, "Resources": resources, "Leftovers": leftovers})


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
