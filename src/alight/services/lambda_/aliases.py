"""Aliases: names that lead to a version, or to two of them by weight."""

from __future__ import annotations

import re
import uuid
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.common import ValidationException
from alight.errors.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.definitions import at_revision
from alight.services.lambda_.qualifiers import LATEST, is_version, split, weights
from alight.services.lambda_.versions import PAGE
from alight.store.database import Tx

_NAME = re.compile(r"(?!^[0-9]+$)([a-zA-Z0-9-_]{1,128})")
_UNFIT = (
    "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy "
    "regular expression pattern: {pattern}"
)


class Aliases:
    """What an alias leads to is looked up at every call, so a change holds from the next one on."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def create_alias(self, call: Call, given: Members) -> Members:
        name, _ = split(given["FunctionName"])
        alias = given["Name"]
        if not _NAME.fullmatch(alias):
            raise ValidationException(_UNFIT.format(value=alias, member="name", pattern=_NAME.pattern))
        configuration: Members = {
            "AliasArn": names.function_arn(name, alias),
            "Name": alias,
            "FunctionVersion": given["FunctionVersion"],
            "Description": given.get("Description") or "",
        }

        def make(tx: Tx) -> dict[str, Any]:
            routed = self._routed(name, configuration, given.get("RoutingConfig"), tx)
            return {"Configuration": routed, "Policy": {}, "EventInvoke": None}

        made = await self._catalogue.create_alias(name, alias, make)
        return dict(made["Configuration"])

    async def update_alias(self, call: Call, given: Members) -> Members:
        name, _ = split(given["FunctionName"])
        self._found(name, given["Name"])
        members = {
            member: given[member] for member in ("FunctionVersion", "Description") if given.get(member) is not None
        }

        def change(tx: Tx, body: dict[str, Any]) -> dict[str, Any]:
            configuration = at_revision(body, given)["Configuration"] | members
            routing = given.get("RoutingConfig")
            if routing is None:
                routing = configuration.get("RoutingConfig")
            return body | {"Configuration": self._routed(name, configuration, routing, tx)}

        changed = await self._catalogue.change_alias(name, given["Name"], change)
        return dict(changed["Configuration"])

    async def get_alias(self, call: Call, given: Members) -> Members:
        name, _ = split(given["FunctionName"])
        return dict(self._found(name, given["Name"]))

    async def list_aliases(self, call: Call, given: Members) -> Members:
        name, _ = split(given["FunctionName"])
        self._catalogue.body(name)
        limit, version = min(given.get("MaxItems") or PAGE, PAGE), given.get("FunctionVersion")
        every = [body["Configuration"] for body in self._catalogue.aliases(name, after=given.get("Marker") or "")]
        found = [alias for alias in every if version is None or version in (alias["FunctionVersion"], *weights(alias))]
        answer: Members = {"Aliases": found[:limit]}
        if len(found) > limit:
            answer["NextMarker"] = found[limit - 1]["Name"]
        return answer

    async def delete_alias(self, call: Call, given: Members) -> Members:
        name, _ = split(given["FunctionName"])
        self._catalogue.body(name)
        await self._catalogue.delete_alias(name, given["Name"])
        return {}

    def _found(self, name: str, alias: str) -> Members:
        self._catalogue.body(name)
        found = self._catalogue.alias(name, alias)
        if found is None:
            raise ResourceNotFoundException(f"Cannot find alias arn: {names.function_arn(name, alias)}", Type="User")
        return dict(found["Configuration"])

    def _routed(self, name: str, configuration: Members, routing: Members | None, tx: Tx) -> Members:
        """An alias' configuration with these weights and a new revision, where all its versions are there."""
        version = configuration["FunctionVersion"]
        if version != LATEST and not is_version(version):
            pattern = r"(\$LATEST|[0-9]+)"
            raise ValidationException(_UNFIT.format(value=version, member="functionVersion", pattern=pattern))
        self._catalogue.body(name, version, tx)
        plain = {member: value for member, value in configuration.items() if member != "RoutingConfig"}
        plain["RevisionId"] = str(uuid.uuid4())
        if not (others := weights({"RoutingConfig": routing})):
            return plain
        _check_weights(version, others)
        for other in others:
            self._catalogue.body(name, other, tx)
        return plain | {"RoutingConfig": {"AdditionalVersionWeights": others}}


def _check_weights(version: str, others: dict[str, float]) -> None:
    if len(others) > 1:
        raise InvalidParameterValueException(
            "Number of items in AdditionalVersionWeights cannot be greater than 1", Type="User"
        )
    if version == LATEST or LATEST in others:
        raise InvalidParameterValueException(
            "$LATEST is not supported for an alias pointing to more than 1 version", Type="User"
        )
    [(other, weight)] = others.items()
    if other == version:
        raise InvalidParameterValueException(
            f"Invalid function version {version}. Function version {version} is already included in routing "
            "configuration.",
            Type="User",
        )
    if not 0.0 <= weight < 1.0:
        raise InvalidParameterValueException(f"The weight of version {other} must be 0.0 to 1.0.", Type="User")
