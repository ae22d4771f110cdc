"""The section Outputs, resolved when somebody asks: addresses that depend on the port are right at that moment."""

from __future__ import annotations

from typing import Any

from alight.calls import Members
from alight.stacks.addresses import localised, owned
from alight.stacks.provider import Identity
from alight.stacks.record import KIND, Entry, Stack, stack_of
from alight.stacks.resolve import Resolver, Unresolvable, pseudo_parameters
from alight.stacks.resources import PROVIDERS
from alight.store.records import Records


async def outputs(records: Records, base_url: str = "http://127.0.0.1:4566") -> dict[str, Any]:
    """Name → value over all stacks, in the order of their names. What was not applied yet is left out."""
    found: dict[str, Any] = {}
    for record in records.list(KIND):
        found |= outputs_of(stack_of(record.name, record.body), base_url)
    return found


def outputs_of(stack: Stack, base_url: str) -> dict[str, Any]:
    """The outputs of one stack as it stands."""
    answers = {name: _answers(entry, base_url) for name, entry in stack.entries.items() if entry.status != "creating"}
    values = {**stack.body.get("Parameters", {}), **pseudo_parameters(stack.name)}
    resolver = Resolver(
        stack.body, values, lambda name: answers[name]["Ref"], lambda name, attribute: answers[name][attribute]
    )
    own = owned(stack.entries.values())
    found: dict[str, Any] = {}
    for name, output in (stack.body.get("Outputs") or {}).items():
        try:
            if "Condition" not in output or resolver.condition(str(output["Condition"]), ("Outputs", name)):
                value = resolver.value(output["Value"], ("Outputs", name, "Value"))
                found[name] = localised(value, own, base_url)
        except Unresolvable:
            # A stack that failed half-way: its other outputs are still of use.
            continue
    return found


def _answers(entry: Entry, base_url: str) -> Members:
    identity = Identity(entry.name, entry.properties, base_url)
    return {**PROVIDERS[entry.type].attributes(identity), **entry.known}
