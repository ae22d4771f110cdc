"""What is asked against what is there: one step per resource, with its reason.

`Walk` goes through the resources in order of need. It is used twice: once to make the whole plan (what only a
service can tell is `Later` then), and once while applying, when each answer is at hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from alight.calls import Members
from alight.errors import AlightError
from alight.stacks.addresses import localised, owned
from alight.stacks.contents import fingerprint
from alight.stacks.load import Steps, canonical
from alight.stacks.prepare import Prepared
from alight.stacks.problems import Problem, TemplateRefused, at
from alight.stacks.properties import check, typed
from alight.stacks.provider import ALL, Provider, Surroundings, Work
from alight.stacks.record import Entry, Stack
from alight.stacks.resolve import Later, Unresolvable
from alight.stacks.resources import provider_of
from alight.stacks.tables import REQUIRED, TABLES
from alight.stacks.tables.cloudformation import kind_of

#: (resource type, resolved properties) -> a warning, or nothing. Raises `AlightError` for what can never work here.
Advise = Callable[[str, Members], Awaitable[str]]

Action = Literal["create", "update", "replace", "delete", "keep", "none"]
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one resource. `keep` leaves it where it is and forgets it; `none` changes nothing."""

    action: Action
    logical_id: str
    type: str
    name: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """`neutral` are properties that are recorded without effect, `warnings` whatever else is worth a look."""

    stack: str
    steps: tuple[Step, ...]
    neutral: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action != "none")


@dataclass(frozen=True, slots=True)
class Considered:
    """One resource, resolved, with what is to be done about it. `entry` is as it will stand in the record."""

    step: Step
    provider: Provider
    work: Work
    entry: Entry
    before: Entry | None


class Walk:
    """Resolves resource after resource; `entries` is what they refer to, as it is or as it will be."""

    def __init__(self, prepared: Prepared, around: Surroundings, stack: Stack) -> None:
        self.prepared = prepared
        self.around = around
        self.entries: dict[str, Entry] = dict(stack.entries)
        self.neutral: list[Problem] = []
        self._resolver = prepared.resolver(self._ref, self._att)
        #: Replaced under their old name: whoever refers to them has to look again.
        self._renewed: set[str] = set()
        #: Nothing is known of these, and nothing more is to be said of those that refer to them.
        self._refused: set[str] = set()

    async def consider(self, logical_id: str) -> Considered:
        """Decide about one resource. Raises `TemplateRefused` with the findings about it."""
        try:
            return await self._consider(logical_id)
        except Unresolvable as error:
            self._refused.add(logical_id)
            raise TemplateRefused([at(self.prepared.template, error.steps, error.message)]) from None
        except TemplateRefused:
            self._refused.add(logical_id)
            raise

    async def _consider(self, logical_id: str) -> Considered:
        resource = self.prepared.resource(logical_id)
        provider = provider_of(resource["Type"])
        where: Steps = ("Resources", logical_id, "Properties")
        properties = self._resolver.value(resource.get("Properties") or {}, where)
        self._check(provider.type, properties, where)
        properties = typed(TABLES[kind_of(provider.type)], properties)
        properties = localised(properties, owned(self.entries.values()), self.around.base_url)
        before = self.entries.get(logical_id)
        work = Work(
            self.around, logical_id, "", properties, metadata=resource.get("Metadata") or {}, type=provider.type
        )
        contents = await asyncio.to_thread(_contents, provider, work) if self.prepared.template.anchored else {}
        self._refuse_files(provider, work, where)
        asked = _asked(provider, resource, properties, contents, self.prepared.needs[logical_id])
        step, generation = self._decide(logical_id, provider, asked, before)
        same = before if before is not None and step.action in ("update", "none") else None
        work = replace(work, name=step.name, before=same.properties if same else {}, known=same.known if same else {})
        entry = replace(asked, name=step.name, generation=generation, attributes=provider.attributes(work))
        entry = replace(entry, known=work.known if same else {name: _later(logical_id, name) for name in provider.late})
        self.entries[logical_id] = entry
        return Considered(step, provider, work, entry, before)

    def _decide(self, logical_id: str, provider: Provider, asked: Entry, before: Entry | None) -> tuple[Step, int]:
        generation = before.generation if before else 0
        stack, properties, seed = self.prepared.stack, asked.properties, self.prepared.identity
        name = provider.naming.name(stack, logical_id, properties, generation, seed)

        def step(action: Action, reason: str = "", named: str = name) -> Step:
            return Step(action, logical_id, provider.type, named, reason)

        if before is None:
            return step("create"), generation
        if before.status == "creating" and before.type == provider.type and before.name == name:
            return step("create", "was begun and not finished"), generation
        reason = self._difference(logical_id, provider, asked, before, name)
        if reason is None:
            return step("none"), generation
        if not self._replaces(provider, asked, before, name):
            return step("update", reason), generation
        renamed = provider.naming.name(stack, logical_id, properties, generation + 1, seed)
        if renamed == before.name and provider.type == before.type:
            self._renewed.add(logical_id)
        return step("replace", reason, renamed), generation + 1

    def _difference(self, logical_id: str, provider: Provider, asked: Entry, before: Entry, name: str) -> str | None:
        """Why a resource is not as it is asked to be, or None where it is."""
        if before.type != provider.type:
            return f"was {before.type}"
        if before.name != name:
            return f"its name was {before.name}"
        reasons = _changes(before.properties, asked.properties)
        reasons += [f"{place}: other content" for place in _differing(before.contents, asked.contents)]
        if before.metadata != asked.metadata:
            reasons.append("Metadata")
        reasons += [f"{need} is made anew" for need in sorted(self.prepared.needs[logical_id] & self._renewed)]
        if before.status == "updating" and not reasons:
            reasons.append("was begun and not finished")
        return "; ".join(reasons) or None

    def _replaces(self, provider: Provider, asked: Entry, before: Entry, name: str) -> bool:
        if provider.replaced_by == ALL or provider.update is None:
            return True
        changed = set(_differing(before.properties, asked.properties)) - {provider.naming.property}
        return before.type != provider.type or before.name != name or bool(changed & provider.replaced_by)

    def _check(self, type_name: str, properties: Members, where: Steps) -> None:
        refused = []
        kind = kind_of(type_name)
        for finding in check(type_name, TABLES[kind], properties, REQUIRED.get(kind, ())):
            steps = (*where, *finding.steps)
            problem = at(self.prepared.template, steps, finding.message)
            if finding.kind == "refused":
                refused.append(problem)
            elif finding.steps != ("Tags",) or self.prepared.template.has(*steps):
                # Tags that nobody wrote are the translator's own.
                self.neutral.append(problem)
        if refused:
            raise TemplateRefused(refused)

    def _refuse_files(self, provider: Provider, work: Work, where: Steps) -> None:
        """A template that came over the wire does not reach into this machine's folders."""
        if self.prepared.template.anchored or provider.contents is None:
            return
        steps = [(*where, place) for place in provider.contents(work)]
        if steps:
            message = "takes an address in S3; `aws cloudformation package` uploads local files and writes it."
            raise TemplateRefused(at(self.prepared.template, one, message) for one in steps)

    def _ref(self, name: str) -> Any:
        return self._att(name, "Ref")

    def _att(self, name: str, attribute: str) -> Any:
        if name in self._refused:
            return _later(name, attribute)
        if name not in self.entries:
            raise LookupError(f"there is no parameter or resource {name}")
        entry = self.entries[name]
        if provider_of(entry.type).free and isinstance(entry.known.get("Ref"), Later):
            return _later(name, attribute)
        return entry.att(attribute)


async def nothing_to_say(type_name: str, properties: Members) -> str:
    """Advice where nobody has any."""
    return ""


async def plan_of(walk: Walk, stack: Stack, advise: Advise = nothing_to_say) -> Plan:
    """Every step there would be. Raises `TemplateRefused` with all findings."""
    steps: list[Step] = []
    problems: list[Problem] = []
    advice: list[str] = []
    for logical_id in walk.prepared.order:
        try:
            considered = await walk.consider(logical_id)
            steps.append(considered.step)
            advice += await _advice(walk, logical_id, considered, advise)
        except TemplateRefused as refused:
            problems += refused.problems
    if problems:
        raise TemplateRefused(problems)
    gone = [name for name in reversed(stack.entries) if name not in walk.prepared.order]
    steps += [removal(logical_id, stack.entries[logical_id]) for logical_id in gone]
    neutral = tuple(sorted(set(walk.neutral)))
    return Plan(walk.prepared.stack, tuple(steps), neutral, (*walk.prepared.template.warnings, *advice))


async def _advice(walk: Walk, logical_id: str, considered: Considered, advise: Advise) -> list[str]:
    """What the rooms have to say of a resource, with its place; what they cannot do at all is refused there."""
    try:
        text = await advise(considered.step.type, considered.work.properties)
    except AlightError as error:
        raise TemplateRefused([at(walk.prepared.template, ("Resources", logical_id), str(error))]) from error
    return [str(at(walk.prepared.template, ("Resources", logical_id), text))] if text else []


def removal(logical_id: str, entry: Entry) -> Step:
    """The step for a resource that is no longer in the template."""
    if entry.retain:
        return Step("keep", logical_id, entry.type, entry.name, "DeletionPolicy: Retain")
    return Step("delete", logical_id, entry.type, entry.name, "no longer in the template")


def _asked(
    provider: Provider, resource: Members, properties: Members, contents: dict[str, str], needs: frozenset[str]
) -> Entry:
    return Entry(
        type=provider.type,
        name="",
        status="done",
        generation=0,
        properties=properties,
        attributes={},
        contents=contents,
        metadata=(resource.get("Metadata") or {}).get("Alight") or {},
        needs=tuple(sorted(needs)),
        retain=resource.get("DeletionPolicy", "Delete").startswith("Retain"),
        retain_replaced=resource.get("UpdateReplacePolicy") == "Retain",
        retain_once_made=resource.get("DeletionPolicy") == "RetainExceptOnCreate",
    )


def _contents(provider: Provider, work: Work) -> dict[str, str]:
    files = provider.contents(work) if provider.contents else {}
    return {place: fingerprint(path) for place, path in files.items()}


def _later(logical_id: str, attribute: str) -> Later:
    return Later(f"({logical_id}.{attribute}, known after apply)")


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = [*now, *(name for name in before if name not in now)]
    return [name for name in names if canonical(before.get(name)) != canonical(now.get(name))]


def _changes(before: Members, now: Members) -> list[str]:
    return [f"{name}{_shown(before.get(name), now.get(name))}" for name in _differing(before, now)]


def _shown(before: Any, now: Any) -> str:
    """` 3 → 10` for what is short and plain, else nothing but the name."""
    if isinstance(before, dict | list) or isinstance(now, dict | list):
        return ""
    text = f" {'(none)' if before is None else before} → {'(none)' if now is None else now}"
    return text if len(text) <= _LONGEST else ""
