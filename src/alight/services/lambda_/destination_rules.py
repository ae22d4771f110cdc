"""What may be a destination or a dead-letter queue, in Lambda's words; asked when it is set.

Whether the function's role may reach it is asked then, as on AWS, and once more when something is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alight import names
from alight.calls import Members
from alight.errors.common import NotImplemented_
from alight.errors.lambda_ import InvalidParameterValueException

#: (role's name, action, resource's ARN) -> may it.
RoleMay = Callable[[str, str, str], bool]
#: Target's ARN -> why it cannot be told; None where it can.
Missing = Callable[[str], str | None]

#: Service of the target -> the permission that the function's role needs.
ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
_ELSEWHERE = {
    "events": "Alight does not offer EventBridge: a destination is a queue, a topic or a function.",
    "s3": "Alight does not offer buckets as destinations: a destination is a queue, a topic or a function.",
}


class DestinationRules:
    """Raises InvalidParameterValueException for what is none, is not there, or is out of the role's reach."""

    def __init__(self, missing: Missing, role_may: RoleMay) -> None:
        self._missing = missing
        self._role_may = role_may

    def check_destinations(self, function: str, role: str, config: Members) -> dict[str, Any]:
        """`config` as it is kept: both sides, empty where they have no destination. `function` is a name."""
        kept = {side: _given(config.get(side)) for side in ("OnSuccess", "OnFailure")}
        for side in kept.values():
            if arn := side.get("Destination"):
                self._check_destination(function, role, arn, kept)
        return kept

    def check_dead_letters(self, role: str, config: Members | None) -> None:
        """`config` is a DeadLetterConfig; with no target, or an empty one, there is none."""
        arn = (config or {}).get("TargetArn")
        if not arn:
            return
        service = _service(arn)
        if service not in ("sqs", "sns") or self._missing(arn):
            raise _invalid(f"The provided dead-letter target {arn} is not a queue or topic of this account.")
        if not self._role_may(role, ACTIONS[service], arn):
            operation = ACTIONS[service].partition(":")[2]
            raise _invalid(
                f"The provided execution role does not have permissions to call {operation} on {service.upper()}"
            )

    def _check_destination(self, function: str, role: str, arn: str, config: Members) -> None:
        service = _service(arn)
        if service in _ELSEWHERE:
            raise NotImplemented_(_ELSEWHERE[service])
        if service not in ACTIONS:
            raise _invalid(f"The provided destination config {_spelt(config)} is invalid.")
        if self._missing(arn):
            raise _invalid(f"The destination ARN {arn} is invalid.")
        if service == "lambda" and names.parse_arn(arn).resource.split(":")[1] == function:
            raise _invalid("You can't specify the function as a destination for itself.")
        if not self._role_may(role, ACTIONS[service], arn):
            operation = ACTIONS[service].partition(":")[2].removesuffix("Function")
            raise _invalid(f"The function's execution role does not have permissions to call {operation} on {arn}")


def _given(side: Members | None) -> Members:
    destination = (side or {}).get("Destination")
    return {"Destination": destination} if destination else {}


def _service(arn: str) -> str:
    try:
        return names.parse_arn(arn).service
    except ValueError:
        return ""


def _spelt(config: Members) -> str:
    sides = (("onSuccess", "OnSuccess"), ("onFailure", "OnFailure"))
    parts = [
        f"{name}={side}(destination={config[side]['Destination']})" if config[side] else f"{name}=null"
        for name, side in sides
    ]
    return f"DestinationConfig({', '.join(parts)})"


def _invalid(message: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(message, Type="User")
