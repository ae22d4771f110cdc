"""What a stack is to be: a request's template, parameters, tags and role, judged as a whole before anything is done.

A definition in a stack's record: `Template` (name of the record with its text), `Given` (parameters as text),
`Hidden` (parameters with NoEcho), `Tags`, `Capabilities`, `RoleARN` and `Description`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.calls import Call, Members
from alight.errors import AlightError
from alight.errors.cloudformation import InsufficientCapabilitiesException
from alight.errors.common import ValidationError
from alight.services.iam.managed import managed_policy_arns
from alight.stacks.apply import FOLDER, Means
from alight.stacks.load import Template
from alight.stacks.outputs import exports
from alight.stacks.parameters import plain_text
from alight.stacks.plan import Plan, Walk, plan_of
from alight.stacks.prepare import Prepared, prepare
from alight.stacks.problems import TemplateRefused
from alight.stacks.provider import Surroundings
from alight.stacks.record import TEMPLATE, Stack
from alight.stacks.service.ground import Ground
from alight.stacks.service.texts import parsed, text_of

_IAM = frozenset(
    {"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group"}
    | {"AWS::IAM::AccessKey", "AWS::IAM::InstanceProfile", "AWS::IAM::UserToGroupAddition"}
)
_NAMES = ("RoleName", "ManagedPolicyName", "UserName", "GroupName", "InstanceProfileName")
#: Made into roles by the SAM translator.
_SAM_ROLES = "AWS::Serverless::"


@dataclass(frozen=True, slots=True)
class Judged:
    """A definition with what came of looking at it: nothing is done yet."""

    definition: Members
    prepared: Prepared
    planned: Plan
    text: str

    def templates(self) -> tuple[str, str, Members]:
        """The record that keeps the template."""
        body = {"Original": self.text, "Processed": json.dumps(self.prepared.body)}
        return TEMPLATE, self.definition["Template"], body


async def judge(ground: Ground, call: Call, given: Members, stack: Stack, *, auto_expand: bool) -> Judged:
    """What `given` asks for `stack`, which may be there already. `auto_expand` says that a Transform has to be allowed
    by a capability. Raises `ValidationError` with everything that was found."""
    before = stack.body.get("Definition") or {}
    text = ground.template(before) if given.get("UsePreviousTemplate") else await text_of(ground, call, given)
    template = parsed(text)
    values = given_values(template, given.get("Parameters") or [], before.get("Given", {}))
    definition = _definition(stack, text, template, values, given, before)
    prepared = await prepared_for(ground, stack, template, values)
    check_capabilities(template, prepared.body, definition["Capabilities"], auto_expand)
    return Judged(definition, prepared, await _planned(ground, prepared, stack), text)


async def prepared_for(ground: Ground, stack: Stack, template: Template, values: Mapping[str, str]) -> Prepared:
    """Raises `ValidationError`."""
    means = ground.means()
    others = exports(means.records, means.base_url).values()
    try:
        return await prepare(
            template,
            stack.name,
            given=values,
            policies=managed_policy_arns(),
            cache=means.data / FOLDER,
            offered=means.offered,
            identity=stack.arn,
            exports={export.name: export.value for export in others if export.stack != stack.arn},
        )
    except TemplateRefused as refused:
        raise _refusal(refused) from None
    except AlightError as error:
        raise ValidationError(str(error)) from None


async def _planned(ground: Ground, prepared: Prepared, stack: Stack) -> Plan:
    means = ground.means()
    around = surroundings(stack, means)
    try:
        return await plan_of(Walk(prepared, around, stack), stack, means.advise)
    except TemplateRefused as refused:
        raise _refusal(refused) from None


def surroundings(stack: Stack, means: Means) -> Surroundings:
    """There is no folder: what came over the wire names no files."""
    return means.around(stack.name, Path("/"), stack.arn)


def _refusal(refused: TemplateRefused) -> ValidationError:
    return ValidationError("Template format error: " + "; ".join(map(str, refused.problems)))


def _definition(
    stack: Stack, text: str, template: Template, values: Mapping[str, str], given: Members, before: Members
) -> Members:
    declared = template.body.get("Parameters") or {}
    return {
        "Template": f"{stack.arn}/{hashlib.sha256(text.encode()).hexdigest()[:16]}",
        "Given": dict(values),
        "Hidden": [name for name, one in declared.items() if plain_text(one.get("NoEcho", False)) == "true"],
        "Tags": given["Tags"] if given.get("Tags") is not None else before.get("Tags", []),
        "Capabilities": given.get("Capabilities") or [],
        "RoleARN": given.get("RoleARN") or before.get("RoleARN", ""),
        "Description": str(template.body.get("Description") or ""),
    }


def given_values(template: Template, asked: Sequence[Members], before: Mapping[str, str]) -> dict[str, str]:
    """Value per parameter, as text: what was asked, what was before where that was asked, else the default."""
    declared = template.body.get("Parameters") or {}
    if not isinstance(declared, dict) or not all(isinstance(one, dict) for one in declared.values()):
        raise ValidationError("Template format error: every Parameters object must be a mapping.")
    values: dict[str, str] = {}
    for one in asked:
        name = one.get("ParameterKey", "")
        if one.get("UsePreviousValue"):
            if name in before:
                values[name] = before[name]
        elif one.get("ParameterValue") is not None:
            values[name] = one["ParameterValue"]
    unknown = [one["ParameterKey"] for one in asked if one.get("ParameterKey") not in declared]
    if unknown:
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for name, declaration in declared.items():
        if name not in values and declaration.get("Default") is not None:
            values[name] = _default(name, declaration["Default"])
    missing = [name for name in declared if name not in values]
    if missing:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    return values


def _default(name: str, value: Any) -> str:
    try:
        return plain_text(value)
    except ValueError:
        raise ValidationError(f"Template format error: the Default of parameter {name} is not text.") from None


def check_capabilities(template: Template, expanded: Members, given: Sequence[str], auto_expand: bool) -> None:
    """Raises `InsufficientCapabilitiesException` where the caller has not said that it knows what this does."""
    missing = []
    needed, _ = capabilities(expanded)
    if needed and not set(given) & {*needed, "CAPABILITY_NAMED_IAM"}:
        missing += needed
    if auto_expand and transforms(template) and "CAPABILITY_AUTO_EXPAND" not in given:
        missing.append("CAPABILITY_AUTO_EXPAND")
    if missing:
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{', '.join(missing)}]")


def capabilities(body: Members) -> tuple[list[str], str]:
    """What a template's resources have to be allowed, and why."""
    resources = {name: one for name, one in body["Resources"].items() if isinstance(one, dict)}
    kinds = {str(one.get("Type")) for one in resources.values()}
    found = sorted(kind for kind in kinds if kind in _IAM or kind.startswith(_SAM_ROLES))
    if not found:
        return [], ""
    properties = (one.get("Properties") or {} for one in resources.values() if one.get("Type") in _IAM)
    named = any(name in own for own in properties if isinstance(own, dict) for name in _NAMES)
    reason = f"The following resource(s) require capabilities: [{', '.join(found)}]"
    return ["CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"], reason


def transforms(template: Template) -> list[str]:
    """The macros that a template names."""
    named = template.body.get("Transform") or []
    listed = named if isinstance(named, list) else [named]
    return [str(one) for one in listed]
