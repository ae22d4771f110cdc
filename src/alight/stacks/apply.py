"""The last step: the plan is carried out, in order of need, by the services' own operations.

The stack's record is saved before and after every resource. Where one fails, what was done stays recorded and the
failure says what and where; the next apply goes on from there. One apply of a stack at a time: the caller sees to it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alight.clock import Clock
from alight.errors import AlightError, Fault
from alight.services.iam.managed import managed_policy_arns
from alight.stacks.load import find
from alight.stacks.outputs import outputs_of
from alight.stacks.plan import Advise, Considered, Plan, Step, Walk, nothing_to_say, plan_of, removal
from alight.stacks.prepare import Prepared, in_order, prepare
from alight.stacks.problems import line_of
from alight.stacks.provider import CallOperation, Kept, Operation, Provider, Surroundings, Work
from alight.stacks.record import Entry, Stack, open_stack
from alight.stacks.resources import PROVIDERS
from alight.stacks.samconfig import read_samconfig
from alight.store.records import Records

FOLDER = "stacks"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it. `outputs` are resolved: name → value."""

    stack: str
    outputs: dict[str, Any]
    plan: Plan
    warnings: tuple[str, ...]


class ApplyFailed(AlightError):
    """One resource failed; those before it stay as they were applied."""


def stack_name(template: Path) -> str:
    """The name of a template's stack: its folder's, in the characters that CloudFormation allows."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", find(template).resolve().parent.name).strip("-")
    # Small letters, because buckets are often called after their stack.
    return (name if name[:1].isalpha() else f"app-{name}".rstrip("-")).lower()


@dataclass(frozen=True, slots=True)
class Means:
    """What plan and apply work with, handed over by the composition root.

    `data` is the data folder, `base_url` how this instance is reached, `offered` the operations that there are
    (None: all), `advise` what the rooms have to say of a resource.
    """

    call: CallOperation
    records: Records
    clock: Clock
    data: Path
    base_url: str = "http://127.0.0.1:4566"
    offered: Collection[Operation] | None = None
    advise: Advise = nothing_to_say


def _ignore(step: Step) -> None:
    """Nobody wants to see the steps."""


async def plan(template: Path, *, means: Means, parameters: Mapping[str, str] | None = None, stack: str = "") -> Plan:
    """What `apply` would do. Changes nothing. Raises `TemplateRefused` with every finding."""
    _, _, planned = await _planned(template, means, parameters or {}, stack)
    return planned


async def apply(
    template: Path,
    *,
    means: Means,
    parameters: Mapping[str, str] | None = None,
    stack: str = "",
    on_step: Callable[[Step], None] = _ignore,
) -> Applied:
    """Bring a template's resources into being, or to what they are now to be.

    `template` is the file or its folder. `parameters` come before those of a `samconfig.toml` beside it, as does
    `stack`, a name for it (its folder's, where nobody gives one). `on_step` sees each step before it is taken. Raises
    `TemplateRefused` (nothing was done) or `ApplyFailed`.
    """
    prepared, around, planned = await _planned(template, means, parameters or {}, stack)
    job = _Apply(prepared, around, open_stack(means.records, prepared.stack), means, on_step)
    await job.run()
    outputs = outputs_of(job.stack, means.base_url)
    return Applied(prepared.stack, outputs, planned, (*planned.warnings, *job.warnings))


async def remove(stack: str, *, means: Means, on_step: Callable[[Step], None] = _ignore) -> tuple[str, ...]:
    """Delete everything of a stack, then its record; what had to stay is told in the warnings returned."""
    state = open_stack(means.records, stack)
    around = Surroundings(stack, Path(state.body.get("Template", "/")).parent, means.base_url, means.call, means.clock)
    remover = _Remover(state, around, means.records, on_step)
    await remover.run(tuple(state.entries))
    await means.records.remove("stack:stack", stack)
    return tuple(remover.warnings)


async def _planned(
    template: Path, means: Means, parameters: Mapping[str, str], name: str
) -> tuple[Prepared, Surroundings, Plan]:
    config = read_samconfig(find(template).parent)
    name = name or config.stack or stack_name(template)
    prepared = await prepare(
        template,
        name,
        given={**config.parameters, **parameters},
        policies=managed_policy_arns(),
        cache=means.data / FOLDER,
        offered=means.offered,
    )
    around = Surroundings(name, prepared.template.folder, means.base_url, means.call, means.clock)
    state = open_stack(means.records, name)
    planned = await plan_of(Walk(prepared, around, state), state, means.advise)
    return prepared, around, _with_warning_of_other_template(planned, state, prepared)


def _with_warning_of_other_template(planned: Plan, state: Stack, prepared: Prepared) -> Plan:
    path, last = prepared.template.path, state.body.get("Template")
    if last is None or last == str(path) or not Path(last).exists():
        return planned
    warning = f"The stack {prepared.stack} was last applied from {last}; it follows {path} now."
    return replace(planned, warnings=(*planned.warnings, warning))


class _Apply:
    """One run over one stack."""

    def __init__(
        self, prepared: Prepared, around: Surroundings, stack: Stack, means: Means, on_step: Callable[[Step], None]
    ) -> None:
        self.stack = stack
        self.warnings: list[str] = []
        self._prepared = prepared
        self._around = around
        self._records = means.records
        self._on_step = on_step
        self._walk = Walk(prepared, around, stack)

    async def run(self) -> None:
        body = self._prepared.body
        self.stack.body = {
            "Template": str(self._prepared.template.path),
            "Status": "applying",
            "Reason": "",
            "Parameters": dict(self._prepared.parameters),
        } | {section: body[section] for section in ("Conditions", "Mappings", "Outputs") if section in body}
        try:
            settling = [taken for logical_id in self._prepared.order if (taken := await self._take(logical_id))]
            for taken in settling:
                await self._settle(taken)
            remover = _Remover(self.stack, self._around, self._records, self._on_step)
            await remover.run(tuple(name for name in self.stack.entries if name not in self._prepared.order))
            self.warnings += remover.warnings
        except AlightError as error:
            self.stack.body |= {"Status": "failed", "Reason": error.message}
            await self.stack.save(self._records)
            raise
        self.stack.body |= {"Status": "complete"}
        await self.stack.save(self._records)

    async def _take(self, logical_id: str) -> Considered | None:
        """Carry out one step; the answer is what has to be waited for, if anything."""
        considered = await self._walk.consider(logical_id)
        step = considered.step
        if step.action == "none":
            self.stack.entries[logical_id] = considered.entry
            return None
        self._on_step(step)
        try:
            entry = await (self._update(considered) if step.action == "update" else self._create(considered))
        except (Fault, AlightError) as error:
            raise self._failed(step, error) from error
        except Exception as error:
            # Not a refusal but a fault of ours: told with its place all the same, and kept in full.
            _log.exception("%s of %s failed", step.action, step.logical_id)
            raise self._failed(step, error) from error
        status = entry.status if considered.provider.settle else "done"
        self._walk.entries[logical_id] = self.stack.entries[logical_id] = replace(entry, status=status)
        await self.stack.save(self._records)
        return considered if considered.provider.settle else None

    async def _create(self, considered: Considered) -> Entry:
        step, before = considered.step, considered.before
        entry = replace(considered.entry, status="creating", known={})
        if before is not None and step.action == "replace" and before.name != step.name:
            self.stack.leftovers.append((step.logical_id, before))
        self.stack.entries[step.logical_id] = entry
        await self.stack.save(self._records)
        if before is not None and before.name == step.name:
            await _clear(before, self._around, step.logical_id)
        known = await considered.provider.create(considered.work)
        return replace(entry, known=known or {})

    async def _update(self, considered: Considered) -> Entry:
        work, before = considered.work, considered.before
        if before is None or considered.provider.update is None:
            raise AssertionError(f"an update of nothing: {considered.step}")
        # Until it is done, the record holds what was, so that the next apply sees the difference again.
        self.stack.entries[work.logical_id] = replace(before, status="updating")
        await self.stack.save(self._records)
        known = await considered.provider.update(work)
        return replace(considered.entry, known={**work.known, **(known or {})}, status="updating")

    async def _settle(self, considered: Considered) -> None:
        if considered.provider.settle is None:
            return
        try:
            await considered.provider.settle(considered.work)
        except (Fault, AlightError) as error:
            raise self._failed(considered.step, error) from error
        logical_id = considered.step.logical_id
        self.stack.entries[logical_id] = replace(self.stack.entries[logical_id], status="done")
        await self.stack.save(self._records)

    def _failed(self, step: Step, error: Exception) -> ApplyFailed:
        template = self._prepared.template
        line = line_of(template, ("Resources", step.logical_id))
        hint = error.hint if isinstance(error, AlightError) else ""
        return ApplyFailed(
            f"{template.path}:{line}: {step.action} of {step.logical_id} ({step.type} {step.name}) failed: "
            f"{_told(error)}",
            hint or "What was done before stays; apply again when it is corrected.",
        )


class _Remover:
    """Deletes what left the template and what was replaced, dependents first."""

    def __init__(self, stack: Stack, around: Surroundings, records: Records, on_step: Callable[[Step], None]) -> None:
        self.warnings: list[str] = []
        self._stack = stack
        self._around = around
        self._records = records
        self._on_step = on_step

    async def run(self, gone: Collection[str]) -> None:
        """Delete the entries named in `gone`, and all leftovers."""
        needs = {logical_id: entry.needs for logical_id, entry in self._stack.leftovers}
        needs |= {logical_id: self._stack.entries[logical_id].needs for logical_id in gone}
        ordered = in_order(needs)
        for logical_id in (*(name for name in needs if name not in ordered), *reversed(ordered)):
            for item in [item for item in self._stack.leftovers if item[0] == logical_id]:
                if not item[1].retain_replaced:
                    await self._delete(
                        logical_id, item[1], Step("delete", logical_id, *_named(item[1]), "was replaced")
                    )
                self._stack.leftovers.remove(item)
                await self._stack.save(self._records)
            if logical_id in gone:
                entry = self._stack.entries[logical_id]
                step = removal(logical_id, entry)
                await self._delete(logical_id, entry, step)
                del self._stack.entries[logical_id]
                await self._stack.save(self._records)

    async def _delete(self, logical_id: str, entry: Entry, step: Step) -> None:
        self._on_step(step)
        if step.action == "keep":
            return
        provider, work = _work_of(entry, self._around, logical_id)
        try:
            await provider.delete(work)
        except Kept as kept:
            self.warnings.append(f"{logical_id}: {kept}")
        except (Fault, AlightError) as error:
            raise ApplyFailed(
                f"Deleting {logical_id} ({entry.type} {entry.name}) failed: {_told(error)}",
                "It is tried again at the next apply.",
            ) from error


def _named(entry: Entry) -> tuple[str, str]:
    return entry.type, entry.name


def _work_of(entry: Entry, around: Surroundings, logical_id: str) -> tuple[Provider, Work]:
    work = Work(around, logical_id, entry.name, entry.properties, entry.properties, entry.known)
    return PROVIDERS[entry.type], work


async def _clear(entry: Entry, around: Surroundings, logical_id: str) -> None:
    """Make room for a new thing under the same name, or sweep up what a cut-off creation has left."""
    provider, work = _work_of(entry, around, logical_id)
    try:
        await provider.delete(work)
    except Kept:
        # A bucket with objects: creating it again finds it as it is.
        return
    except Fault:
        if entry.status == "done":
            raise


def _told(error: Exception) -> str:
    if isinstance(error, AlightError):
        return error.message
    return f"{error.code}: {error.message}" if isinstance(error, Fault) else f"{type(error).__name__}: {error}"
