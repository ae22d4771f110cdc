"""ValidateTemplate and GetTemplateSummary: what a template asks for, without a stack."""

from __future__ import annotations

import json
from typing import Any

from alight.calls import Call, Members
from alight.errors.common import ValidationError
from alight.stacks.load import Template
from alight.stacks.parameters import plain_text
from alight.stacks.service.definitions import capabilities, transforms
from alight.stacks.service.ground import Ground
from alight.stacks.service.texts import parsed, text_of


class Summaries:
    """The operations that read a template."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def validate_template(self, call: Call, given: Members) -> Members:
        template = parsed(await text_of(self._ground, call, given))
        parameters = [
            {name: value for name, value in one.items() if name not in ("ParameterType", "ParameterConstraints")}
            for one in _parameters(template)
        ]
        return _facts(template) | {"Parameters": parameters}

    async def get_template_summary(self, call: Call, given: Members) -> Members:
        if given.get("StackName"):
            stack = self._ground.described(given["StackName"])
            if "Definition" not in stack.body:
                raise ValidationError(f"Stack [{stack.name}] has no template of its own.")
            template = parsed(self._ground.template(stack.body["Definition"]))
        else:
            template = parsed(await text_of(self._ground, call, given))
        answer = _facts(template) | {
            "Parameters": _parameters(template),
            "ResourceTypes": sorted({str(one.get("Type")) for one in _resources(template).values()}),
        }
        if "AWSTemplateFormatVersion" in template.body:
            answer["Version"] = str(template.body["AWSTemplateFormatVersion"])
        if template.body.get("Metadata"):
            answer["Metadata"] = json.dumps(template.body["Metadata"])
        return answer


def _facts(template: Template) -> Members:
    needed, reason = capabilities(template.body)
    macros = transforms(template)
    if macros:
        needed = [*needed, "CAPABILITY_AUTO_EXPAND"]
    answer: Members = {"Capabilities": needed, "DeclaredTransforms": macros}
    if template.body.get("Description"):
        answer["Description"] = str(template.body["Description"])
    return answer | ({"CapabilitiesReason": reason} if reason else {})


def _resources(template: Template) -> dict[str, Members]:
    return {name: one for name, one in template.body["Resources"].items() if isinstance(one, dict)}


def _parameters(template: Template) -> list[Members]:
    declared = template.body.get("Parameters") or {}
    if not isinstance(declared, dict) or not all(isinstance(one, dict) for one in declared.values()):
        raise ValidationError("Template format error: every Parameters object must be a mapping.")
    return [_parameter(name, one) for name, one in declared.items()]


def _parameter(name: str, declared: Members) -> Members:
    answer: Members = {
        "ParameterKey": name,
        "ParameterType": str(declared.get("Type", "")),
        "NoEcho": _text(declared.get("NoEcho", False)) == "true",
        "ParameterConstraints": {},
    }
    if declared.get("Default") is not None:
        answer["DefaultValue"] = _text(declared["Default"])
    if declared.get("Description"):
        answer["Description"] = str(declared["Description"])
    if declared.get("AllowedValues"):
        answer["ParameterConstraints"] = {"AllowedValues": [_text(value) for value in declared["AllowedValues"]]}
    return answer


def _text(value: Any) -> str:
    try:
        return plain_text(value)
    except ValueError:
        raise ValidationError("Template format error: a parameter's values are text.") from None
