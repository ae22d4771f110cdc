"""Is this notification configuration one that S3 would take? Pure but for the question whether a target is there.

The order is S3's: form, ARNs, filters, events, ids, overlaps; targets last, all of them in one answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from alight.calls import Members
from alight.errors.common import NotImplemented_
from alight.errors.s3 import InvalidArgument, MalformedXML
from alight.events.match import EVENTS, TARGETS, Rule, overlap, rules
from alight.names import parse_arn

#: Why an ARN cannot be a target of a bucket ("The destination queue does not exist"), or None where it can.
TargetCheck = Callable[[str, str], str | None]

_LIMIT = 100
_ID_LETTERS = 255
_VALUE_LETTERS = 1024
_KINDS = {  # the list in the configuration → S3's name of the argument, the ARN's service
    "LambdaFunctionConfigurations": ("CloudFunction", "lambda"),
    "TopicConfigurations": ("Topic", "sns"),
    "QueueConfigurations": ("Queue", "sqs"),
}


def normalised(given: Mapping[str, Any]) -> Members:
    """The configuration as S3 gives it back: ids made where missing, filter names capitalised.

    Raises `InvalidArgument`, `MalformedXML`, or `NotImplemented_` for EventBridge.
    """
    if given.get("EventBridgeConfiguration") is not None:
        raise NotImplemented_(
            "Alight does not support EventBridgeConfiguration of s3 PutBucketNotificationConfiguration."
        )
    configuration: Members = {}
    for kind, arn in TARGETS.items():
        if found := [_one(kind, arn, each) for each in given.get(kind) or ()]:
            configuration[kind] = found
    _check_together(configuration)
    return configuration


def _one(kind: str, arn: str, given: Mapping[str, Any]) -> Members:
    events = list(given.get("Events") or ())
    if not events or not given.get(arn):
        raise MalformedXML
    _check_arn(kind, given[arn])
    for event in events:
        if event not in EVENTS:
            raise InvalidArgument(
                "The event is not supported for notifications", ArgumentName="Event", ArgumentValue=event
            )
    name = given.get("Id") or secrets.token_urlsafe(36)
    if len(name) > _ID_LETTERS:
        raise InvalidArgument(f"ID length exceeded allowed limit of {_ID_LETTERS}", ArgumentName="Id")
    one: Members = {"Id": name, arn: given[arn], "Events": events}
    if given.get("Filter") is not None:
        key = given["Filter"].get("Key") or {}
        one["Filter"] = {"Key": {"FilterRules": _filters(key.get("FilterRules") or ())}}
    return one


def _check_arn(kind: str, arn: str) -> None:
    argument, service = _KINDS[kind]
    try:
        fits = parse_arn(arn).service == service
    except ValueError:
        raise InvalidArgument("The ARN could not be parsed", ArgumentName=argument, ArgumentValue=arn) from None
    if not fits:
        raise InvalidArgument("The ARN is not well formed", ArgumentName=argument, ArgumentValue=arn)


def _filters(given: Any) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for one in given:
        name, value = str(one.get("Name") or ""), one.get("Value") or ""
        if name.lower() not in ("prefix", "suffix"):
            raise InvalidArgument(
                "filter rule name must be either prefix or suffix",
                ArgumentName="FilterRule.Name",
                ArgumentValue=name,
            )
        if name.capitalize() in found:
            raise InvalidArgument(
                f"Cannot specify more than one {name.lower()} rule in a filter.",
                ArgumentName="FilterRule.Name",
                ArgumentValue=name.lower(),
            )
        if len(value) > _VALUE_LETTERS:
            raise InvalidArgument(
                f"filter rule value cannot exceed {_VALUE_LETTERS} characters", ArgumentName="FilterRule.Value"
            )
        found[name.capitalize()] = value
    return [{"Name": name, "Value": value} for name, value in found.items()]


def _check_together(configuration: Members) -> None:
    every = rules(configuration)
    if len(every) > _LIMIT:
        raise InvalidArgument(f"A bucket can have at most {_LIMIT} notification configurations.")
    if len({rule.id for rule in every}) < len(every):
        raise InvalidArgument("Same ID used for multiple configurations. IDs must be unique.")
    clash = overlap(every)
    if clash is None:
        return
    if any(rule.filtered for rule in clash):
        raise InvalidArgument(
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
            "overlapping for the same event type."
        )
    raise InvalidArgument("Configurations overlap. Configurations on the same bucket cannot share a common event type.")


def check_targets(every: tuple[Rule, ...], bucket: str, refusal: TargetCheck) -> None:
    """Raises `InvalidArgument` that names each target which is not there, or does not let the bucket in."""
    targets = dict.fromkeys(rule.target for rule in every)
    problems = dict(_numbered({arn: why for arn in targets if (why := refusal(arn, bucket))}))
    if problems:
        raise InvalidArgument("Unable to validate the following destination configurations", **problems)


def _numbered(problems: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for number, (arn, why) in enumerate(problems.items(), 1):
        yield f"ArgumentName{number}", arn
        yield f"ArgumentValue{number}", why
