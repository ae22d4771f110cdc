"""Settings of asynchronous invocation (EventInvokeConfig with its destinations) and reserved concurrency."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from alight.services.lambda_ import definitions
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.destination_rules import DestinationRules

_LIMITS = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21_600)}


class Behaviour:
    """The handlers that say how often and how many at a time."""

    def __init__(self, catalogue: Catalogue, clock: Clock, rules: DestinationRules) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._rules = rules

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
        """There is one at most, and so one page."""
        settings = self._catalogue.body(given["FunctionName"])["EventInvoke"]
        return {"FunctionEventInvokeConfigs": [] if settings is None else [self._answer(given, settings)]}

    async def delete_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        self._settings(given)
        await self._catalogue.change(given["FunctionName"], lambda body: body | {"EventInvoke": None})
        return {}

    async def put_function_concurrency(self, call: Call, given: Members) -> Members:
        reserved = given["ReservedConcurrentExecutions"]
        await self._catalogue.change(given["FunctionName"], lambda body: body | {"Reserved": reserved})
        return {"ReservedConcurrentExecutions": reserved}

    async def get_function_concurrency(self, call: Call, given: Members) -> Members:
        reserved = self._catalogue.body(given["FunctionName"])["Reserved"]
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    async def delete_function_concurrency(self, call: Call, given: Members) -> Members:
        await self._catalogue.change(given["FunctionName"], lambda body: body | {"Reserved": None})
        return {}

    def _settings(self, given: Members) -> dict[str, Any]:
        settings: dict[str, Any] | None = self._catalogue.body(given["FunctionName"])["EventInvoke"]
        if settings is None:
            arn = self._catalogue.arn(given["FunctionName"])
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
        await self._catalogue.change(given["FunctionName"], lambda body: body | {"EventInvoke": settings})
        return self._answer(given, settings)

    def _answer(self, given: Members, settings: dict[str, Any]) -> Members:
        return (
            {"DestinationConfig": {"OnSuccess": {}, "OnFailure": {}}}
            | settings
            | {
                "LastModified": datetime.fromtimestamp(settings["LastModified"], UTC),
                "FunctionArn": f"{self._catalogue.arn(given['FunctionName'])}:$LATEST",
            }
        )
