"""One alarm: its record, how it is checked, described and told of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alight import names
from alight.calls import Members
from alight.errors.cloudwatch import InvalidParameterCombination, InvalidParameterValue, MissingParameter
from alight.errors.common import NotImplemented_, ValidationError
from alight.services.cloudwatch import rules
from alight.services.cloudwatch.evaluation import COMPARISONS, INSUFFICIENT, TREATMENTS, Terms, stamp
from alight.services.cloudwatch.statistics import PLAIN, check_period, is_percentile, statistic

KIND = "cloudwatch:alarm"

#: Members that the record keeps as they were given.
DEFINITION = (
    "AlarmDescription", "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit",
    "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
)  # fmt: skip
ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
MOST_ACTIONS = 5
#: Seconds that all periods of an alarm may cover: seven days, one where its period is below an hour.
LONGEST, LONGEST_SHORT = 604_800, 86_400
#: The region's name in messages.
REGION_NAME = "US East (N. Virginia)"


def arn(name: str) -> str:
    return str(names.Arn("cloudwatch", f"alarm:{name}"))


def check(given: Members) -> None:
    """PutMetricAlarm's members. Raises in AWS's words, or where something is not offered."""
    for member in ("MetricName", "Namespace", "Period", "EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if given.get(member) is None:
            raise MissingParameter(f"The parameter {member} is required.")
    if not 1 <= len(given["AlarmName"]) <= 255:
        raise InvalidParameterValue(f"The value {given['AlarmName']} for parameter AlarmName is invalid.")
    if given.get("EvaluateLowSampleCountPercentile") == "ignore":
        raise NotImplemented_("Alight does not offer EvaluateLowSampleCountPercentile=ignore.")
    rules.check_namespace(given["Namespace"])
    rules.dimensions(given.get("Dimensions"), "Dimensions")
    if given.get("Unit") is not None:
        rules.check_unit(given["Unit"], "Unit")
    _check_statistic(given)
    _check_periods(given)
    if given["ComparisonOperator"] not in COMPARISONS:
        raise NotImplemented_(
            f"Alight has no anomaly detection: the ComparisonOperator {given['ComparisonOperator']} is not offered."
        )
    if given.get("TreatMissingData", "missing") not in TREATMENTS:
        raise ValidationError(f"The value {given['TreatMissingData']} is not valid for TreatMissingData parameter.")
    for member in ACTIONS.values():
        _check_actions(given.get(member) or [], member)


def _check_statistic(given: Members) -> None:
    plain, further = given.get("Statistic"), given.get("ExtendedStatistic")
    if (plain is None) == (further is None):
        raise InvalidParameterCombination("Exactly one of Statistic and ExtendedStatistic must be specified.")
    if plain is not None and plain not in PLAIN:
        raise InvalidParameterValue(f"The value {plain} for parameter Statistic is not supported.")
    if further is not None:
        statistic(further, "ExtendedStatistic")
        if not is_percentile(further):
            raise InvalidParameterValue(f"The value {further} for parameter ExtendedStatistic is not supported.")


def _check_periods(given: Members) -> None:
    period, periods = given["Period"], given["EvaluationPeriods"]
    check_period(period, "Period")
    if periods < 1:
        raise InvalidParameterValue("The parameter EvaluationPeriods must be greater than 0.")
    needed = given.get("DatapointsToAlarm")
    if needed is not None and not 1 <= needed <= periods:
        raise ValidationError(
            "The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods and greater than 0."
        )
    longest = LONGEST if period >= 3_600 else LONGEST_SHORT
    if period * periods > longest:
        days = "seven days" if longest == LONGEST else "one day"
        raise ValidationError(
            f"Metrics cannot be checked across more than {days} (EvaluationPeriods * Period must be <= {longest})."
        )


def _check_actions(actions: list[str], member: str) -> None:
    """Topics are told; AWS's other actions (instances, scaling, functions) are not offered."""
    if len(actions) > MOST_ACTIONS:
        raise ValidationError(f"The collection {member} must not have a size greater than {MOST_ACTIONS}.")
    for action in actions:
        try:
            target = names.parse_arn(action)
        except ValueError:
            raise ValidationError(f"Invalid arn syntax: {action}") from None
        if target.service != "sns":
            raise NotImplemented_(f"Alight's alarms tell topics: the action {action} of {member} is not offered.")
        if (target.region, target.account) != (names.REGION, names.ACCOUNT):
            raise ValidationError(f"Invalid region or account of {action} specified in {member}.")


def record(given: Members, before: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    """The record: a new definition; the state and the tags stay those that were."""
    body: dict[str, Any] = {member: given[member] for member in DEFINITION if given.get(member) is not None}
    body |= {member: list(given.get(member) or []) for member in ACTIONS.values()}
    body |= {"ActionsEnabled": given.get("ActionsEnabled") is not False, "Configured": now}
    if before is not None:
        return body | {name: before[name] for name in ("State", "Tags")}
    tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags") or []}
    state = {"Value": INSUFFICIENT, "Reason": "Unchecked: Initial alarm creation", "Updated": now, "Changed": now}
    return body | {"State": state, "Tags": tags}


def terms(body: Mapping[str, Any]) -> Terms:
    return Terms(
        period=body["Period"],
        periods=body["EvaluationPeriods"],
        needed=body.get("DatapointsToAlarm") or body["EvaluationPeriods"],
        threshold=float(body["Threshold"]),
        comparison=body["ComparisonOperator"],
        missing=body.get("TreatMissingData", "missing"),
    )


def described(name: str, body: Mapping[str, Any]) -> Members:
    """As DescribeAlarms shows it."""
    state = body["State"]
    shown: Members = {"AlarmName": name, "AlarmArn": arn(name)}
    shown |= {member: body[member] for member in DEFINITION if member in body}
    shown |= {member: body[member] for member in ACTIONS.values()}
    shown |= {
        "Dimensions": body.get("Dimensions", []),
        "ActionsEnabled": body["ActionsEnabled"],
        "AlarmConfigurationUpdatedTimestamp": _moment(body["Configured"]),
        "StateValue": state["Value"],
        "StateReason": state["Reason"],
        "StateUpdatedTimestamp": _moment(state["Updated"]),
        "StateTransitionedTimestamp": _moment(state["Changed"]),
    }
    return shown | ({"StateReasonData": state["Data"]} if state.get("Data") else {})


def subject(name: str, state: str) -> str:
    """Of the message; SNS takes a hundred characters."""
    text = f'{state}: "{name}" in {REGION_NAME}'
    return (text if len(text) <= 100 else f"{text[:97]}...").encode("ascii", "replace").decode()


def message(name: str, body: Mapping[str, Any], before: str, now: float) -> str:
    """What subscribers get: AWS's alarm notification. `body` has the new state."""
    state, plain = body["State"], body.get("Statistic")
    kind = {"StatisticType": "Statistic", "Statistic": _shouted(plain)} if plain else {
        "StatisticType": "ExtendedStatistic", "ExtendedStatistic": body["ExtendedStatistic"],
    }  # fmt: skip
    trigger = {
        "MetricName": body["MetricName"],
        "Namespace": body["Namespace"],
        **kind,
        "Unit": body.get("Unit"),
        "Dimensions": [{"value": one["Value"], "name": one["Name"]} for one in body.get("Dimensions", [])],
        "Period": body["Period"],
        "EvaluationPeriods": body["EvaluationPeriods"],
        "DatapointsToAlarm": body.get("DatapointsToAlarm") or body["EvaluationPeriods"],
        "ComparisonOperator": body["ComparisonOperator"],
        "Threshold": float(body["Threshold"]),
        "TreatMissingData": body.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": body.get("EvaluateLowSampleCountPercentile", ""),
    }
    told = {
        "AlarmName": name,
        "AlarmDescription": body.get("AlarmDescription"),
        "AWSAccountId": names.ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": stamp(body["Configured"]),
        "NewStateValue": state["Value"],
        "NewStateReason": state["Reason"],
        "StateChangeTime": stamp(now),
        "Region": REGION_NAME,
        "AlarmArn": arn(name),
        "OldStateValue": before,
        "OKActions": body["OKActions"],
        "AlarmActions": body["AlarmActions"],
        "InsufficientDataActions": body["InsufficientDataActions"],
        "Trigger": trigger,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _shouted(name: str) -> str:
    """`SampleCount` → `SAMPLE_COUNT`, as messages spell it."""
    return "".join(f"_{letter}" if letter.isupper() and place else letter for place, letter in enumerate(name)).upper()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
