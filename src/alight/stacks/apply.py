"""A template's file, planned and applied: the last steps of `alight up`.

Where a resource fails, what was done stays recorded and the failure says what and where; the next apply goes on from
there. One apply of a stack at a time: the caller sees to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alight.clock import Clock
from alight.errors import AlightError
from alight.services.iam.managed import managed_policy_arns
from alight.stacks.answers import Answers
from alight.stacks.applying import Applying
from alight.stacks.load import find, load
from alight.stacks.outputs import exports, outputs_of
from alight.stacks.plan import Advise, Plan, Step, Walk, nothing_to_say, plan_of
from alight.stacks.prepare import Prepared, prepare
from alight.stacks.problems import ApplyFailed as ApplyFailed
from alight.stacks.provider import CallOperation, Operation, Surroundings
from alight.stacks.record import Stack, open_stack
from alight.stacks.removing import Remover
from alight.stacks.resolve import stack_arn
from alight.stacks.samconfig import read_samconfig
from alight.store.records import Records

FOLDER = "stacks"


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it. `outputs` are resolved: name → value."""

    stack: str
    outputs: dict[str, Any]
    plan: Plan
    warnings: tuple[str, ...]


def stack_name(template: Path) -> str:
    """The name of a template's stack: its folder's, in the characters that CloudFormation allows."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", find(template).resolve().parent.name).strip("-")
    # Small letters, because buckets are often called after their stack.
    return (name if name[:1].isalpha() else f"app-{name}".rstrip("-")).lower()


@dataclass(frozen=True, slots=True)
class Means:
    """What plan and apply work with, handed over by the composition root.

    `data` is the data folder, `base_url` how this instance is reached, `offered` the operations that there are
    (None: all), `advise` what the rooms have to say of a resource, `answers` where custom resources answer.
    """

    call: CallOperation
    records: Records
    clock: Clock
    data: Path
    base_url: str = "http://127.0.0.1:4566"
    offered: Collection[Operation] | None = None
    advise: Advise = nothing_to_say
    answers: Answers | None = None

    def around(self, stack: str, folder: Path, arn: str = "") -> Surroundings:
        """The surroundings of one stack's resources."""
        return Surroundings(stack, folder, self.base_url, self.call, self.clock, arn or stack_arn(stack), self.answers)


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
    job = Applying(prepared, around, open_stack(means.records, prepared.stack), means.records, on_step)
    await _carry_out(job, means, planned)
    outputs = outputs_of(job.stack, means.base_url)
    return Applied(prepared.stack, outputs, planned, (*planned.warnings, *job.warnings))


async def _carry_out(job: Applying, means: Means, planned: Plan) -> None:
    """All steps; the record says how far it came and, where there was something to do, has CloudFormation's events."""
    stack, now = job.stack, means.clock.now
    verb = "UPDATE" if stack.status.endswith("_COMPLETE") or stack.body.get("Status") == "complete" else "CREATE"
    eventful = bool(planned.changes) or not stack.status
    job.begin()
    stack.body |= {"Status": "applying", "Reason": ""}
    stack.body.setdefault("Created", now())
    if eventful:
        stack.turn(now(), f"{verb}_IN_PROGRESS", "User Initiated")
    try:
        await job.make()
        await job.clean()
    except AlightError as error:
        stack.body |= {"Status": "failed", "Reason": error.message}
        stack.turn(now(), f"{verb}_FAILED", error.message)
        await stack.save(means.records)
        raise
    stack.body |= {"Status": "complete"}
    if eventful:
        stack.body |= {"Updated": now()} if verb == "UPDATE" else {}
        stack.turn(now(), f"{verb}_COMPLETE")
    await stack.save(means.records)


async def remove(stack: str, *, means: Means, on_step: Callable[[Step], None] = _ignore) -> tuple[str, ...]:
    """Delete everything of a stack, then its record; what had to stay is told in the warnings returned."""
    state = open_stack(means.records, stack)
    around = means.around(stack, Path(state.body.get("Template", "/")).parent)
    remover = Remover(state, around, means.records, on_step)
    await remover.run(tuple(state.entries))
    await means.records.remove("stack:stack", stack)
    return tuple(remover.warnings)


async def _planned(
    template: Path, means: Means, parameters: Mapping[str, str], name: str
) -> tuple[Prepared, Surroundings, Plan]:
    config = read_samconfig(find(template).parent)
    name = name or config.stack or stack_name(template)
    state = open_stack(means.records, name)
    if "Id" in state.body:
        raise AlightError(
            f"The stack {name} is CloudFormation's own: it was made by its operations.",
            "Give this template another stack_name in samconfig.toml, or delete that stack first.",
        )
    others = exports(means.records, means.base_url).values()
    prepared = await prepare(
        load(template),
        name,
        given={**config.parameters, **parameters},
        policies=managed_policy_arns(),
        cache=means.data / FOLDER,
        offered=means.offered,
        exports={export.name: export.value for export in others},
    )
    around = means.around(name, prepared.template.folder)
    planned = await plan_of(Walk(prepared, around, state), state, means.advise)
    return prepared, around, _with_warning_of_other_template(planned, state, prepared)


def _with_warning_of_other_template(planned: Plan, state: Stack, prepared: Prepared) -> Plan:
    path, last = prepared.template.path, state.body.get("Template")
    if last is None or last == str(path) or not Path(last).exists():
        return planned
    warning = f"The stack {prepared.stack} was last applied from {last}; it follows {path} now."
    return replace(planned, warnings=(*planned.warnings, warning))
