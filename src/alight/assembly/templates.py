"""Templates are applied through the same operations that the wire offers, as the owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alight.assembly.doors import Doors
from alight.assembly.store import Store
from alight.calls import Call, Members, Principal
from alight.functions.interpreters import Interpreters
from alight.names import ACCOUNT, new_request_id
from alight.services.s3.publicity import opening
from alight.stacks.answers import Answers
from alight.stacks.apply import Means, apply, plan
from alight.stacks.definitions import check_body
from alight.stacks.outputs import outputs
from alight.stacks.plan import Plan, Step

OWNER = Principal("service", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


@dataclass(frozen=True, slots=True)
class Templates:
    """Plan, apply and outputs; `say` gets a line for each step taken."""

    store: Store
    doors: Doors
    interpreters: Interpreters
    say: Callable[[str], None]
    answers: Answers
    #: Two applies of one stack at a time would undo each other.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def call(self, service: str, operation: str, given: Members) -> Members:
        handler = self.doors.operations[service, operation]
        base_url = self.store.address.local()
        return await handler(Call(service, operation, new_request_id(), OWNER, base_url=base_url), given)

    def means(self) -> Means:
        return Means(
            call=self.call,
            records=self.store.records,
            clock=self.store.clock,
            data=self.store.settings.data,
            base_url=self.store.address.public(),
            offered=self.doors.operations.keys(),
            advise=self.advise,
            answers=self.answers,
        )

    async def advise(self, type_name: str, properties: Members) -> str:
        """Which Python will run a function, where that is not the one it asks for; what becomes public. Raises for an
        API's body that could not be imported, before anything is done."""
        check_body(type_name, properties)
        if type_name.startswith("AWS::S3::"):
            return opening(type_name, properties)
        if type_name != "AWS::Lambda::Function" or not properties.get("Runtime"):
            return ""
        return (await self.interpreters.choose(str(properties["Runtime"]))).warning

    async def outputs(self) -> dict[str, Any]:
        return await outputs(self.store.records, self.store.address.public())

    async def apply(self, template: Path, plan_only: bool = False) -> dict[str, Any]:
        if plan_only:
            return describe(await plan(template, means=self.means()))
        async with self.turn:
            applied = await apply(template, means=self.means(), on_step=lambda step: self.say(line_of(step)))
        for warning in applied.warnings:
            self.say(f"  warning: {warning}")
        return describe(applied.plan) | {"outputs": applied.outputs, "warnings": list(applied.warnings)}


def describe(planned: Plan) -> dict[str, Any]:
    """A plan as the command line shows it."""
    steps = [
        {
            "action": step.action,
            "logical_id": step.logical_id,
            "type": step.type,
            "physical_id": step.name,
            "detail": step.reason,
        }
        for step in planned.changes
    ]
    neutral = [str(problem) for problem in planned.neutral]
    return {"plan": steps, "neutral": neutral, "warnings": list(planned.warnings)}


def line_of(step: Step) -> str:
    return f"  {step.action:8} {step.logical_id} ({step.type} {step.name}) {step.reason}".rstrip()
