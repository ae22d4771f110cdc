"""A stage for stacks: a real record store, and services that write down what they are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alight.calls import Members
from alight.clock import ManualClock
from alight.errors import Fault
from alight.stacks.apply import Applied, Means, apply, plan
from alight.stacks.plan import Plan, Step
from alight.store.records import Records

Asked = tuple[str, Members]
Answer = Members | Exception | Callable[[Members], Members]


@dataclass
class Services:
    """Answers every operation; `asked` keeps (operation, members), `answers` holds other answers than `{}`."""

    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    async def __call__(self, service: str, operation: str, given: Members) -> Members:
        self.asked.append((operation, given))
        answer = self.answers.get(operation, _ANSWERS.get(operation, {}))
        if isinstance(answer, Exception):
            raise answer
        return answer(given) if callable(answer) else answer

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.asked]

    def given(self, operation: str) -> Members:
        """The members of the last call of that operation."""
        return next(given for asked, given in reversed(self.asked) if asked == operation)

    def all_given(self, operation: str) -> list[Members]:
        return [given for asked, given in self.asked if asked == operation]


_ANSWERS: dict[str, Answer] = {
    "CreateRole": {"Role": {"RoleId": "AROAEXAMPLE"}},
    "CreatePolicy": {"Policy": {"PolicyId": "ANPAEXAMPLE"}},
    "Subscribe": lambda given: {"SubscriptionArn": f"{given['TopicArn']}:{given['Endpoint']}"},
    "CreateEventSourceMapping": {"UUID": "11111111-2222-3333-4444-555555555555"},
    "PublishVersion": {"Version": "7", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f"},
    "DescribeEndpoint": {"EndpointStatus": "InService"},
    "ListPolicyVersions": {"Versions": [{"VersionId": "v1", "IsDefaultVersion": True}]},
}


class Refusing(Fault):
    """Somebody said no."""

    status = 400


@dataclass
class Scene:
    """One project folder with a template, and what applies it."""

    folder: Path
    records: Records
    services: Services
    clock: ManualClock
    offered: set[tuple[str, str]] | None = None

    @property
    def means(self) -> Means:
        data = self.folder.parent / "data"
        return Means(self.services, self.records, self.clock, data, "http://127.0.0.1:4566", self.offered)

    def write(self, text: str, name: str = "template.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    async def plan(self, text: str, **parameters: str) -> Plan:
        return await plan(self.write(text), means=self.means, parameters=parameters)

    async def apply(self, text: str, **parameters: str) -> Applied:
        self.services.asked.clear()
        return await apply(self.write(text), means=self.means, parameters=parameters)


def actions(planned: Plan) -> dict[str, str]:
    """Logical id → action."""
    return {step.logical_id: step.action for step in planned.steps}


def step(planned: Plan, logical_id: str) -> Step:
    return next(one for one in planned.steps if one.logical_id == logical_id)


def resource(type_name: str, **properties: Any) -> Members:
    return {"Type": type_name, "Properties": properties}
