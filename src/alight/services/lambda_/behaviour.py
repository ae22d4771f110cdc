"""Settings of asynchronous invocation and concurrency: EventInvokeConfig and reserved concurrency."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from alight.services.lambda_.catalogue import Catalogue

_LIMITS = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21_600)}


class Behaviour:
    """The handlers that say how often and how many at a time."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    async def put_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        return await self._set(given, {})

    async def update_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        return await self._set(given, self._settings(given))

    async def get_function_event_invoke_config(self, call: Call, given: Members) -> Members:
        return self._answer(given, self._settings(given))

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
        settings["LastModified"] = self._clock.now()
        await self._catalogue.change(given["FunctionName"], lambda body: body | {"EventInvoke": settings})
        return self._answer(given, settings)

    def _answer(self, given: Members, settings: dict[str, Any]) -> Members:
        return settings | {
            "LastModified": datetime.fromtimestamp(settings["LastModified"], UTC),
            "FunctionArn": f"{self._catalogue.arn(given['FunctionName'])}:$LATEST",
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
        }
