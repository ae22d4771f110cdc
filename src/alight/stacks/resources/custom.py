"""AWS::CloudFormation::CustomResource and Custom::X: a function makes, changes and removes what it likes.

`Ref` is the PhysicalResourceId that it answers with, attributes are what stands in its Data.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from alight.calls import Members
from alight.errors import AlightError, Fault
from alight.stacks.answers import Answers
from alight.stacks.load import canonical
from alight.stacks.provider import Naming, Provider, Work
from alight.stacks.record import NO_ECHO
from alight.stacks.tables.cloudformation import CUSTOM

_PATIENCE = 3600


async def _create(work: Work) -> Members:
    return _known(work, await _ask(work, "Create", "Create", {}))


async def _update(work: Work) -> Members:
    if canonical(work.properties) == canonical(work.before):
        return {}
    if work.properties["ServiceToken"] != work.before.get("ServiceToken"):
        raise AlightError("Modifying service token is not allowed.")
    event = {"PhysicalResourceId": work.known["Ref"], "OldResourceProperties": _texts(work.before)}
    # Back and forth are two requests, and the same change once more is the same request only if it was cut off.
    change = canonical([work.known["Ref"], work.before, work.properties])
    kind = f"Update-{hashlib.sha256(change.encode()).hexdigest()[:16]}"
    return _known(work, await _ask(work, "Update", kind, event))


async def _delete(work: Work) -> None:
    physical = work.known.get("Ref")
    if physical is None:
        begun = _answers(work).last(work.name, "Create")
        if begun is None:
            return
        physical = (begun["Answer"] or {}).get("PhysicalResourceId") or work.name
    kind = f"Delete-{hashlib.sha256(str(physical).encode()).hexdigest()[:16]}"
    await _ask(work, "Delete", kind, {"PhysicalResourceId": physical})
    await _answers(work).forget(work.name)


async def _ask(work: Work, request: str, kind: str, more: Members) -> Members:
    event = {
        "RequestType": request,
        "ServiceToken": work.properties["ServiceToken"],
        "StackId": work.around.arn,
        "LogicalResourceId": work.logical_id,
        "ResourceType": work.type or CUSTOM,
        "ResourceProperties": _texts(work.properties),
        **more,
    }
    timeout = float(work.properties.get("ServiceTimeout") or _PATIENCE)

    async def invoke(asked: Members) -> str:
        members = {"FunctionName": asked["ServiceToken"], "Payload": json.dumps(asked).encode()}
        try:
            answer = await work.call("lambda", "Invoke", **members)
        except Fault as fault:
            return f"{fault.code}: {fault.message}"
        if not answer.get("FunctionError"):
            return ""
        return str(bytes(answer["Payload"]).decode("utf-8", "replace")[:1000])

    return await _answers(work).ask(work.name, kind, event, invoke, timeout)


def _answers(work: Work) -> Answers:
    if work.around.answers is None:
        raise AlightError("Custom resources need a running instance.")
    return work.around.answers


def _known(work: Work, answer: Members) -> Members:
    physical = answer.get("PhysicalResourceId")
    if not isinstance(physical, str) or not physical:
        raise AlightError("Invalid PhysicalResourceId")
    return {**(answer.get("Data") or {}), "Ref": physical, NO_ECHO: bool(answer.get("NoEcho"))}


def _texts(value: Any) -> Any:
    """Properties as CloudFormation sends them: every scalar is text."""
    if isinstance(value, dict):
        return {name: _texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


PROVIDERS = (
    Provider(
        type=CUSTOM,
        naming=Naming(limit=128),
        create=_create,
        update=_update,
        delete=_delete,
        attributes=lambda one: {},
        late=frozenset({"Ref"}),
        free=True,
        needs=(("lambda", "Invoke"),),
    ),
)
