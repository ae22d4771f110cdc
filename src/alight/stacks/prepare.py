"""A template made ready: expanded, its parameters and conditions decided, its resources in order of need.

Everything that can be wrong before a value depends on another resource is found here, all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alight.calls import Members
from alight.stacks.expand import expand
from alight.stacks.load import Steps, Template
from alight.stacks.parameters import values_of
from alight.stacks.problems import Problem, TemplateRefused, at
from alight.stacks.provider import Operation
from alight.stacks.resolve import Later, Resolver, Unresolvable, no_exports, pseudo_parameters
from alight.stacks.resources import provider_of
from alight.stacks.tables import refusal_of

_SECTIONS = frozenset(
    {"AWSTemplateFormatVersion", "Conditions", "Description", "Globals", "Mappings", "Metadata", "Outputs"}
    | {"Parameters", "Resources"}
)
_MAPPINGS = ("Conditions", "Globals", "Mappings", "Metadata", "Outputs", "Parameters", "Resources")
_OF_MAPPINGS = frozenset({"Mappings", "Outputs", "Parameters"})
_POLICIES = {
    "DeletionPolicy": ("Delete", "Retain", "RetainExceptOnCreate"),
    "UpdateReplacePolicy": ("Delete", "Retain"),
}
#: CreationPolicy and UpdatePolicy ask CloudFormation to wait or to pace itself: nothing to act on here.
_RESOURCE_KEYS = frozenset(
    {"Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}
    | {"CreationPolicy", "UpdatePolicy"}
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """`body` is the expanded template, `order` its resources whose condition holds, those that are needed first.

    `needs` are the resources that each one refers to, `imports` the exports of other stacks that are used, with their
    values. `identity` is the stack's ARN where its name does not make it; then it makes the names of resources too.
    """

    template: Template
    stack: str
    body: Members
    parameters: Mapping[str, Any]
    order: tuple[str, ...]
    needs: Mapping[str, frozenset[str]]
    identity: str = ""
    imports: Mapping[str, Any] = field(default_factory=dict)

    def resource(self, logical_id: str) -> Members:
        result: Members = self.body["Resources"][logical_id]
        return result

    def resolver(self, ref: Callable[[str], Any], att: Callable[[str, str], Any]) -> Resolver:
        values = {**self.parameters, **pseudo_parameters(self.stack, self.identity)}
        return Resolver(self.body, values, ref, att, self.imported)

    def imported(self, name: str) -> Any:
        return self.imports[name] if name in self.imports else no_exports(name)


async def prepare(
    template: Template,
    stack: str,
    *,
    given: Mapping[str, str],
    policies: Mapping[str, str],
    cache: Path,
    offered: Collection[Operation] | None = None,
    identity: str = "",
    exports: Mapping[str, Any] | None = None,
) -> Prepared:
    """Check a template that was read.

    `given` are parameter values, `policies` managed policies' names to ARNs, `offered` the operations that there
    are (None: all), `exports` the values that other stacks export. Raises `TemplateRefused` with everything that was
    found.
    """
    _check_shape(template)
    parameters = values_of(template, given)
    body = await expand(template, given, policies, cache)
    used = _Used(exports or {})
    prepared = Prepared(template, stack, body, parameters, (), {}, identity, used)
    problems = _odd_sections(template, body)
    active = _active(prepared, problems)
    for logical_id in active:
        problems += _type_problems(prepared, logical_id, offered)
    needs = {logical_id: _needs(prepared, logical_id, active, problems) for logical_id in active}
    _check_outputs(prepared, active, problems)
    if problems:
        raise TemplateRefused(problems)
    order = in_order(needs)
    if (cycle := circle(needs)) is not None:
        raise TemplateRefused([_cycle_problem(template, cycle)])
    return replace(prepared, order=order, needs=needs, imports={name: used[name] for name in sorted(used.names)})


class _Used(dict[str, Any]):
    """Exports that write down which of them was asked for."""

    def __init__(self, exports: Mapping[str, Any]) -> None:
        super().__init__(exports)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)


def _check_shape(template: Template) -> None:
    """Sections, and what stands in most of them by name, are mappings: nothing else could be read further."""
    problems = []
    for section in _MAPPINGS:
        content = template.body.get(section)
        if content is not None and not isinstance(content, dict):
            problems.append(at(template, (section,), "takes a mapping."))
        elif section in _OF_MAPPINGS:
            odd = [name for name, item in (content or {}).items() if not isinstance(item, dict)]
            problems += [at(template, (section, name), "takes a mapping.") for name in odd]
    if problems:
        raise TemplateRefused(problems)


def _odd_sections(template: Template, body: Members) -> list[Problem]:
    odd = [name for name in body if name not in _SECTIONS]
    return [at(template, (name,), f"the section {name} is not offered.") for name in odd]


def _active(prepared: Prepared, problems: list[Problem]) -> tuple[str, ...]:
    """Logical ids of the resources whose condition holds."""
    resolver = prepared.resolver(_nothing, _nothing)
    active = []
    for logical_id, resource in prepared.body["Resources"].items():
        odd = [name for name in resource if name not in _RESOURCE_KEYS]
        where: Steps = ("Resources", logical_id)
        problems += [at(prepared.template, (*where, name), f"{name} does not belong here.") for name in odd]
        try:
            if "Condition" not in resource or resolver.condition(str(resource["Condition"]), (*where, "Condition")):
                active.append(logical_id)
        except Unresolvable as error:
            problems.append(at(prepared.template, error.steps, error.message))
    return tuple(active)


def _type_problems(prepared: Prepared, logical_id: str, offered: Collection[Operation] | None) -> list[Problem]:
    resource, where = prepared.resource(logical_id), ("Resources", logical_id)
    type_name = resource["Type"]
    for part in ("Properties", "Metadata"):
        if not isinstance(resource.get(part) or {}, dict):
            return [at(prepared.template, (*where, part), "takes a mapping.")]
    for part, allowed in _POLICIES.items():
        if resource.get(part, "Delete") not in allowed:
            return [at(prepared.template, (*where, part), f"takes one of {', '.join(allowed)}.")]
    own = (resource.get("Metadata") or {}).get("Alight", {})
    if own not in ({}, {"Publish": "staged"}, {"Publish": "immediate"}):
        message = "takes Publish: staged (the default) or Publish: immediate, and nothing else."
        return [at(prepared.template, (*where, "Metadata", "Alight"), message)]
    refusal = refusal_of(type_name)
    if refusal is not None:
        return [at(prepared.template, where, refusal)]
    missing = [] if offered is None else [f"{s} {o}" for s, o in provider_of(type_name).needs if (s, o) not in offered]
    if missing:
        return [at(prepared.template, where, f"{type_name} is not offered yet: it needs {', '.join(missing)}.")]
    return []


def _nothing(name: str, attribute: str = "") -> Any:
    raise LookupError(f"there is no parameter or resource {name}")


def _needs(prepared: Prepared, logical_id: str, active: tuple[str, ...], problems: list[Problem]) -> frozenset[str]:
    """The resources that one refers to: found by evaluating it with callbacks that write down who was asked for."""
    resource = prepared.resource(logical_id)
    found: set[str] = set()
    where: Steps = ("Resources", logical_id)
    resolver = prepared.resolver(*_recorder(prepared, active, found))
    try:
        resolver.value(resource.get("Properties") or {}, (*where, "Properties"))
    except Unresolvable as error:
        problems.append(at(prepared.template, error.steps, error.message))
    depends = resource.get("DependsOn") or []
    for name in depends if isinstance(depends, list) else [depends]:
        if not isinstance(name, str) or name not in prepared.body["Resources"]:
            problems.append(at(prepared.template, (*where, "DependsOn"), f"there is no resource {name}."))
        elif name in active:
            found.add(name)
    return frozenset(found)


def _recorder(
    prepared: Prepared, active: tuple[str, ...], found: set[str]
) -> tuple[Callable[[str], Any], Callable[[str, str], Any]]:
    def ref(name: str) -> Any:
        if name in active:
            found.add(name)
            return Later(name)
        if name in prepared.body["Resources"]:
            raise LookupError(f"the condition of {name} does not hold, so it is not there")
        raise LookupError(f"there is no parameter or resource {name}")

    return ref, lambda name, attribute: ref(name)


def _check_outputs(prepared: Prepared, active: tuple[str, ...], problems: list[Problem]) -> None:
    resolver = prepared.resolver(*_recorder(prepared, active, set()))
    for name, output in (prepared.body.get("Outputs") or {}).items():
        where = ("Outputs", name)
        try:
            if "Value" not in output:
                raise Unresolvable("an output needs a Value.", where)
            if "Condition" not in output or resolver.condition(str(output["Condition"]), (*where, "Condition")):
                resolver.value(output["Value"], (*where, "Value"))
        except Unresolvable as error:
            problems.append(at(prepared.template, error.steps, error.message))


def in_order(needs: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Everything after what it needs, else as it is written. What stands in a circle is left out."""
    done: dict[str, None] = {}
    waiting = list(needs)
    while True:
        ready = [name for name in waiting if all(need in done or need not in needs for need in needs[name])]
        if not ready:
            return tuple(done)
        done |= dict.fromkeys(ready)
        waiting = [name for name in waiting if name not in done]


def circle(needs: Mapping[str, Collection[str]]) -> tuple[str, ...] | None:
    """A circle of needs, its first member repeated at the end, or None."""
    ordered = set(in_order(needs))
    left = {name: sorted(set(needs[name]) - ordered) for name in needs if name not in ordered}
    if not left:
        return None
    path = [next(iter(left))]
    while True:
        following = next(need for need in left[path[-1]] if need in left)
        if following in path:
            return (*path[path.index(following) :], following)
        path.append(following)


def _cycle_problem(template: Template, cycle: tuple[str, ...]) -> Problem:
    message = (
        f"Circular dependency between resources: {' → '.join(cycle)}. AWS refuses this too; where one only needs the "
        'other\'s name, write the name on both sides, as in !Sub "${AWS::StackName}-pictures".'
    )
    return at(template, ("Resources", cycle[0]), message)
