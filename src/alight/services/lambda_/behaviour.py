"""Settings of asynchronous invocation (EventInvokeConfig with its destinations), reserved concurrency, and whether a
loop that a function makes is ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.common import ValidationException
from alight.errors.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from alight.services.lambda_ import definitions
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.destination_rules import DestinationRules
from alight.services.lambda_.qualifiers import LATEST, split, whole

RECURSION = ("Allow", "Terminate")
_LIMITS = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21_600)}


class Behaviour:
    """The handlers that say how often and how many at a time."""

    def __init__(
        self, catalogue: Catalogue, clock: Clock, rules: DestinationRules, limited: Callable[[], None]
    ) -> None:
        """`limited` is called when a function may have got more places, or fewer: no call has to end first."""
        self._catalogue = catalogue
        self._clock = clock
        self._rules = rules
        self._limited = limited

    async def put_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        if all(given.get(member) is None for member in (*_LIMITS, "DestinationConfig")):
            message = "You must specify at least one of error handling or destination setting."
            raise InvalidParameterValueException(message, Type="User")
        return await self._set(given, {})

    async def update_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        return await self._set(given, self._settings(given))

    async def get_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        return self._answer(given, self._settings(given))

    async def list_function_event_invoke_configs(self, call: Call, given: Members) -> Members:
        """Those of the function, of its versions and of its aliases, in one page."""
        name, _ = split(given["FunctionName"])
        kept = [({"FunctionName": name}, self._catalogue.body(name))]
        kept += [
            ({"FunctionName": body["Configuration"]["FunctionArn"]}, body) for body in self._catalogue.versions(name)
        ]
        kept += [({"FunctionName": body["Configuration"]["AliasArn"]}, body) for body in self._catalogue.aliases(name)]
        found = [(named, body["EventInvoke"]) for named, body in kept if body["EventInvoke"] is not None]
        return {"FunctionEventInvokeConfigs": [self._answer(named, settings) for named, settings in found]}

    async def delete_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        self._settings(given)
        await self._keep(given, None)
        return {}

    async def put_function_concurrency(self, call: Call, given: Members) -> Members:
        reserved = given["ReservedConcurrentExecutions"]
        await self._reserve(given["FunctionName"], reserved)
        return {"ReservedConcurrentExecutions": reserved}

    async def get_function_concurrency(self, call: Call, given: Members) -> Members:
        reserved = self._catalogue.body(whole(given["FunctionName"]))["Reserved"]
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    async def delete_function_concurrency(self, call: Call, given: Members) -> Members:
        await self._reserve(given["FunctionName"], None)
        return {}

    async def _reserve(self, function: str, reserved: int | None) -> None:
        await self._catalogue.change(function, lambda body: body | {"Reserved": reserved})
        self._limited()

    async def put_function_recursion_config(self, call: Call, given: Members) -> Members:
        wanted = given["RecursiveLoop"]
        if wanted not in RECURSION:
            raise ValidationException(
                f"1 validation error detected: Value '{wanted}' at 'recursiveLoop' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(RECURSION)}]"
            )
        await self._catalogue.change(whole(given["FunctionName"]), lambda body: body | {"RecursiveLoop": wanted})
        return {"RecursiveLoop": wanted}

    async def get_function_recursion_config(self, call: Call, given: Members) -> Members:
        body = self._catalogue.body(whole(given["FunctionName"]))
        return {"RecursiveLoop": body.get("RecursiveLoop", "Terminate")}

    def _settings(self, given: Members) -> dict[str, Any]:
        kept = self._catalogue.kept(given["FunctionName"], given.get("Qualifier"))
        settings: dict[str, Any] | None = kept["EventInvoke"]
        if settings is None:
            arn = self._arn(given)
            raise ResourceNotFoundException(f"The function {arn} doesn't have an EventInvokeConfig", Type="User")
        return settings

    async def _set(self, given: Members, before: dict[str, Any]) -> Members:
        settings = dict(before)
        for member, (least, most) in _LIMITS.items():
            if (value := given.get(member)) is not None:
                if not least <= value <= most:
                    raise InvalidParameterValueException(f"{member} must be {least} to {most}.", Type="User")
                settings[member] = value
        if (config := given.get("DestinationConfig")) is not None:
            configuration = self._catalogue.body(given["FunctionName"])["Configuration"]
            role = definitions.role_name(configuration["Role"])
            settings["DestinationConfig"] = self._rules.check_destinations(configuration["FunctionName"], role, config)
        settings["LastModified"] = self._clock.now()
        await self._keep(given, settings)
        return self._answer(given, settings)

    async def _keep(self, given: Members, settings: dict[str, Any] | None) -> None:
        await self._catalogue.change_kept(
            given["FunctionName"], given.get("Qualifier"), lambda body: body | {"EventInvoke": settings}
        )

    def _arn(self, given: Members) -> str:
        """Settings that were given without a qualifier are those of `$LATEST`."""
        name, qualifier = split(given["FunctionName"], given.get("Qualifier"))
        return names.function_arn(name, qualifier or LATEST)

    def _answer(self, given: Members, settings: dict[str, Any]) -> Members:
        return (
            {"DestinationConfig": {"OnSuccess": {}, "OnFailure": {}}}
            | settings
            | {"LastModified": datetime.fromtimestamp(settings["LastModified"], UTC), "FunctionArn": self._arn(given)}
        )
