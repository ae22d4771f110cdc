"""Create, read, update and delete functions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors import AlightError
from alight.errors.common import NotImplemented_, ValidationException
from alight.errors.lambda_ import InvalidParameterValueException
from alight.functions.package import unfit
from alight.services.lambda_ import definitions
from alight.services.lambda_.catalogue import Catalogue, Change
from alight.services.lambda_.definitions import at_revision
from alight.services.lambda_.destination_rules import DestinationRules
from alight.services.lambda_.layers import Layers
from alight.services.lambda_.places import code_of, compiled_of
from alight.services.lambda_.qualifiers import LATEST, is_version, split, whole
from alight.services.lambda_.sources import NO_IMAGES, Sources, check_source
from alight.services.lambda_.tags import check_tags
from alight.services.lambda_.versions import PAGE

#: Called with a function's name and a version, or "" for all of them, when workers must not go on with what they were
#: started with.
Retire = Callable[[str, str], Awaitable[None]]


class Functions:
    """The definitions' handlers. Code is unpacked before a record names it, never after."""

    def __init__(
        self, catalogue: Catalogue, clock: Clock, *, sources: Sources, layers: Layers, retire: Retire,
        say: Callable[[str], None], rules: DestinationRules,
    ) -> None:  # fmt: skip
        self._catalogue = catalogue
        self._clock = clock
        self._sources = sources
        self._layers = layers
        self._retire = retire
        self._say = say
        self._rules = rules

    async def create_function(self, call: Call, given: Members) -> Members:
        name, _ = definitions.parse_name(given["FunctionName"])
        _check_kind(given)
        for member in ("Role", "Handler", "Runtime"):
            if not given.get(member):
                raise InvalidParameterValueException(f"{member} is mandatory for functions of type Zip.", Type="User")
        role = definitions.role_name(given["Role"])
        check_tags(given.get("Tags") or {})
        if self._catalogue.find(name) is not None:
            raise definitions.exists(name)
        self._rules.check_dead_letters(role, given.get("DeadLetterConfig"))
        layers = await self._layers.attached(given.get("Layers") or [])
        code = await self._sources.code(call, given["Code"], given["Runtime"])
        body = definitions.with_layers(definitions.created(given, code, self._clock.now()), *layers)
        body = definitions.warned(definitions.check_size(body), await self._warnings(body))
        created = await self._catalogue.create(body, publish=bool(given.get("Publish")))
        # Unqualified even where a version was published: so AWS answers this one.
        return _configuration(created) | {"FunctionArn": self._catalogue.arn(name)}

    async def update_function_code(self, call: Call, given: Members) -> Members:
        name = whole(given["FunctionName"])
        code = await self._sources.code(call, given, self._catalogue.body(name)["Configuration"]["Runtime"])
        if given.get("DryRun"):
            return _configuration(at_revision(self._catalogue.body(name), given))
        now = self._clock.now()

        def change(body: dict[str, Any]) -> dict[str, Any]:
            return definitions.with_code(at_revision(body, given), code, now)

        return await self._changed(name, change, publish=bool(given.get("Publish")))

    async def update_function_configuration(self, call: Call, given: Members) -> Members:
        name, now = whole(given["FunctionName"]), self._clock.now()
        if "Role" in given:
            definitions.role_name(given["Role"])
        if given.get("DeadLetterConfig"):
            role = given.get("Role") or self._catalogue.body(name)["Configuration"]["Role"]
            self._rules.check_dead_letters(definitions.role_name(role), given["DeadLetterConfig"])
        asked = given.get("Layers")
        layers = None if asked is None else await self._layers.attached(asked)

        def change(body: dict[str, Any]) -> dict[str, Any]:
            changed = definitions.reconfigured(at_revision(body, given), given, now)
            return changed if layers is None else definitions.with_layers(changed, *layers)

        return await self._changed(name, change)

    async def get_function(self, call: Call, given: Members) -> Members:
        body = self._catalogue.body(given["FunctionName"], given.get("Qualifier"))
        answer: Members = {"Configuration": _configuration(body), "Code": {"RepositoryType": "S3", "Location": ""}}
        if body["Tags"]:
            answer["Tags"] = body["Tags"]
        if body["Reserved"] is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": body["Reserved"]}
        return answer

    async def get_function_configuration(self, call: Call, given: Members) -> Members:
        return _configuration(self._catalogue.body(given["FunctionName"], given.get("Qualifier")))

    async def list_functions(self, call: Call, given: Members) -> Members:
        """By name; with `FunctionVersion` ALL, each of them followed by its versions."""
        limit = min(given.get("MaxItems") or PAGE, PAGE)
        every = given.get("FunctionVersion")
        if every not in (None, "ALL"):
            raise ValidationException(
                f"1 validation error detected: Value '{every}' at 'functionVersion' failed to satisfy constraint: "
                "Member must satisfy enum value set: [ALL]"
            )
        list_from = self._catalogue.page_of_all if every else self._catalogue.page
        page = list_from(given.get("Marker") or "", limit + 1)
        answer: Members = {"Functions": [_configuration(body) for body in page[:limit]]}
        if len(page) > limit:
            last = page[limit - 1]["Configuration"]
            answer["NextMarker"] = last["FunctionArn"].partition(":function:")[2]
        return answer

    async def delete_function(self, call: Call, given: Members) -> Members:
        """The whole function, or one of its versions."""
        name, qualifier = split(given["FunctionName"], given.get("Qualifier"))
        if not qualifier:
            await self._catalogue.delete(name)
        else:
            self._catalogue.body(name)
            _check_deletable(qualifier)
            await self._catalogue.delete_version(name, qualifier)
        await self._retire(name, qualifier)
        return {"StatusCode": 204}

    async def _changed(self, name: str, change: Change, *, publish: bool = False) -> Members:
        """Change a function; what is to be known of the packages that it then has is told by its configuration."""
        warnings = await self._warnings(change(self._catalogue.body(name)))
        carry_out = self._catalogue.publish if publish else self._catalogue.change
        body = await carry_out(name, lambda body: definitions.warned(definitions.check_size(change(body)), warnings))
        await self._retire(name, LATEST)
        return _configuration(body)

    async def _warnings(self, body: dict[str, Any]) -> tuple[str, ...]:
        try:
            venv = code_of(body["Code"], self._sources.folder)[1]
            warnings = await unfit(compiled_of(body), body["Configuration"]["Runtime"], venv)
        except AlightError as error:
            raise InvalidParameterValueException(str(error), Type="User") from None
        for warning in warnings:
            self._say(warning)
        return warnings


def _check_kind(given: Members) -> None:
    """Zip files only."""
    if given.get("PackageType", "Zip") != "Zip":
        raise NotImplemented_(NO_IMAGES)
    check_source("CreateFunction", given["Code"])


def _check_deletable(qualifier: str) -> None:
    if qualifier == LATEST:
        raise InvalidParameterValueException(
            "$LATEST version cannot be deleted without deleting the function.", Type="User"
        )
    if not is_version(qualifier):
        raise InvalidParameterValueException("Deletion of aliases is not currently supported.", Type="User")


def _configuration(body: dict[str, Any]) -> Members:
    return dict(body["Configuration"])
