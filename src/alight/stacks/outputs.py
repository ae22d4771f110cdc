"""The section Outputs, resolved when somebody asks: addresses that depend on the port are right at that moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alight.calls import Members
from alight.stacks.addresses import localised, owned
from alight.stacks.provider import Identity
from alight.stacks.record import Entry, Stack, all_stacks
from alight.stacks.resolve import Resolver, Unresolvable, no_exports, pseudo_parameters
from alight.stacks.resources import provider_of
from alight.store.records import Records

HERE = "http://127.0.0.1:4566"


@dataclass(frozen=True, slots=True)
class Output:
    """One output of one stack; `export` is the name by which other stacks may import it, "" where it has none."""

    name: str
    value: Any
    description: str = ""
    export: str = ""


async def outputs(records: Records, base_url: str = HERE) -> dict[str, Any]:
    """Name → value over all stacks, in the order of their names; what a template's file says comes before what a stack
    of CloudFormation's operations says. What was not applied yet is left out."""
    found: dict[str, Any] = {}
    for stack in sorted(all_stacks(records), key=lambda stack: "Id" not in stack.body):
        found |= outputs_of(stack, base_url)
    return found


def outputs_of(stack: Stack, base_url: str) -> dict[str, Any]:
    """The outputs of one stack as it stands."""
    return {output.name: output.value for output in told(stack, base_url)}


def told(stack: Stack, base_url: str, *, whole: bool = False) -> Iterator[Output]:
    """The same with what else the template says of them. Raises `Unresolvable` for what has no value where the stack is
    `whole`."""
    answers = {name: _answers(entry, base_url) for name, entry in stack.entries.items() if entry.status != "creating"}
    values = {**stack.body.get("Parameters", {}), **pseudo_parameters(stack.name, stack.body.get("Id", ""))}
    imports = stack.body.get("Imports", {})
    resolver = Resolver(
        stack.body,
        values,
        lambda name: answers[name]["Ref"],
        lambda name, attribute: answers[name][attribute],
        lambda name: imports[name] if name in imports else no_exports(name),
    )
    own = owned(stack.entries.values())
    for name, output in (stack.body.get("Outputs") or {}).items():
        try:
            if "Condition" not in output or resolver.condition(str(output["Condition"]), ("Outputs", name)):
                value = localised(resolver.value(output["Value"], ("Outputs", name, "Value")), own, base_url)
                export = resolver.value((output.get("Export") or {}).get("Name", ""), ("Outputs", name, "Export"))
                yield Output(name, value, str(output.get("Description", "")), str(export))
        except Unresolvable:
            if whole:
                raise
            # A stack that failed half-way: its other outputs are still of use.
            continue


@dataclass(frozen=True, slots=True)
class Export:
    """A value that one stack (by its ARN) offers to all others under a name."""

    stack: str
    name: str
    value: Any


def exports(records: Records, base_url: str) -> dict[str, Export]:
    """Everything that the stacks export, by name, sorted."""
    found = {
        output.export: Export(stack.arn, output.export, output.value)
        for stack in all_stacks(records)
        for output in told(stack, base_url)
        if output.export
    }
    return {name: found[name] for name in sorted(found)}


def _answers(entry: Entry, base_url: str) -> Members:
    identity = Identity(entry.name, entry.properties, base_url)
    return {**provider_of(entry.type).attributes(identity), **entry.known}
