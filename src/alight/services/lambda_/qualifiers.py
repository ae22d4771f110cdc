"""What a name with a qualifier means (pure): `name`, `name:3`, `name:live`, and the function as each of them sees it.

A function is one record, and so is each published version and each alias. All three hold `Configuration` (what Get
answers), `Policy` and `EventInvoke`: permissions and settings belong to the name under which they were given. A
version holds `Code`, `Opt` and `Publish` too, as they were when it was published, and `Of`, by which is seen whether
anything has changed since.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from typing import Any

from alight import names
from alight.calls import Members
from alight.errors.lambda_ import InvalidParameterValueException
from alight.services.lambda_.definitions import parse_name

LATEST = "$LATEST"
_NUMBER = re.compile(r"[1-9][0-9]{0,11}")
#: Members of the configuration that a new revision changes although the function stays what it is.
_PASSING = ("FunctionArn", "LastModified", "RevisionId", "Version")


def split(function: str, qualifier: str | None = None) -> tuple[str, str]:
    """`(name, qualifier)`, whichever of both members gives it. Raises where they contradict each other."""
    name, own = parse_name(function)
    if own and qualifier and own != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier.", Type="User"
        )
    return name, qualifier or own


def whole(function: str) -> str:
    """The name, where it is a function's as such that is meant. Raises where a version or an alias is named."""
    name, qualifier = split(function)
    if qualifier not in ("", LATEST):
        raise InvalidParameterValueException(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN.",
            Type="User",
        )
    return name


def is_version(qualifier: str) -> bool:
    """Whether it is a published version's number; anything else is an alias, or `$LATEST`."""
    return _NUMBER.fullmatch(qualifier) is not None


def place(name: str, qualifier: str) -> str:
    """The record's name of a version or alias; versions stand in the order of their numbers."""
    return f"{name}:{int(qualifier):012d}" if is_version(qualifier) else f"{name}:{qualifier}"


def content(body: dict[str, Any]) -> str:
    """What a version of this function would hold, as one short text: the same text, the same version."""
    configuration = {name: value for name, value in body["Configuration"].items() if name not in _PASSING}
    text = json.dumps([configuration, body["Code"], body["Publish"], body.get("Opt")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def published(body: dict[str, Any], number: int, description: str | None) -> dict[str, Any]:
    """The record of a new version of the function `body`."""
    configuration = body["Configuration"] | {
        "FunctionArn": names.function_arn(body["Configuration"]["FunctionName"], str(number)),
        "Version": str(number),
        "RevisionId": str(uuid.uuid4()),
    }
    if description is not None:
        configuration["Description"] = description
    return {
        "Configuration": configuration,
        "Code": body["Code"],
        "Opt": body.get("Opt"),
        "Publish": body["Publish"],
        "Policy": {},
        "EventInvoke": None,
        "Of": content(body),
    }


def seen(
    function: dict[str, Any], version: dict[str, Any], arn: str, alias: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The function as somebody sees it who calls it `arn`: what runs is `version` (for `$LATEST` the function itself),
    who may and how often is said by the alias where there is one. `Routes` are the alias' other versions with their
    weights."""
    holder = alias or version
    return function | {
        "Configuration": version["Configuration"] | {"FunctionArn": arn},
        "Code": version["Code"],
        "Opt": version.get("Opt"),
        "Publish": version["Publish"],
        "Policy": holder["Policy"],
        "EventInvoke": holder["EventInvoke"],
        "Routes": weights(alias["Configuration"]) if alias else {},
    }


def weights(alias: Members) -> dict[str, float]:
    """An alias' additional versions and which part of the calls each of them gets."""
    routing = alias.get("RoutingConfig") or {}
    return dict(routing.get("AdditionalVersionWeights") or {})


def drawn(routes: dict[str, float], lot: float) -> str:
    """Which of the additional versions a call gets, by a lot in [0, 1); empty for the alias' own version."""
    for version, weight in routes.items():
        if lot < weight:
            return version
        lot -= weight
    return ""
