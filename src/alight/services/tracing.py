"""Every call that a function makes is a step of its event's story: one span per operation, with its time, and what the
call needed to be let in (`needs`: action and resource)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from alight.calls import Attempt, Call, Handler, Members, Operations
from alight.clock import Clock
from alight.errors import Fault
from alight.services.permissions import needs
from alight.store.telemetry import Telemetry

#: Members that say on what an operation worked; short names and ids only, never contents.
_TELLING = ("Bucket", "Key", "EndpointName", "TopicArn", "QueueUrl", "FunctionName")


def traced(operations: Operations, telemetry: Telemetry, clock: Clock) -> dict[tuple[str, str], Handler]:
    """The same table, each handler leaving a span where it works for an invocation."""
    return {name: _traced(name, handler, telemetry, clock) for name, handler in operations.items()}


def _traced(name: tuple[str, str], handler: Handler, telemetry: Telemetry, clock: Clock) -> Handler:
    label = f"{name[0]} {name[1]}"

    async def leaving_a_span(attempt: Attempt, call: Call, given: Members) -> Members:
        start, outcome = clock.now(), "ok"
        try:
            return await handler(call, given)
        except Fault as fault:
            outcome = fault.code
            raise
        finally:
            telling: dict[str, Any] = {member: str(given[member]) for member in _TELLING if given.get(member)}
            telling["needs"] = [" ".join(need) for need in needs(*name, given)]
            telemetry.span(
                attempt.request_id,
                label,
                start,
                clock.now(),
                event_id=attempt.event_id or "",
                outcome=outcome,
                **telling,
            )

    def traced(call: Call, given: Members) -> Awaitable[Members]:
        return handler(call, given) if call.attempt is None else leaving_a_span(call.attempt, call, given)

    return traced
