"""Does this rule want this event? Pure, and the same answer for validation and for the hot path.

A rule is one configuration of a bucket's notification configuration. S3 refuses two rules that could want the same
event of the same key, so at most one rule per event and key remains; `overlap` finds such pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

# The list of configurations of each kind of target, and the member that holds the target's ARN.
TARGETS = {
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
    "TopicConfigurations": "TopicArn",
    "QueueConfigurations": "QueueArn",
}

# What a rule may name. Families that nothing here can cause (restore, replication) are legal and silent.
_FAMILIES = {
    "s3:ObjectCreated": "* Put Post Copy CompleteMultipartUpload",
    "s3:ObjectRemoved": "* Delete DeleteMarkerCreated",
    "s3:ObjectRestore": "* Post Completed Delete",
    "s3:Replication": "* OperationFailedReplication OperationNotTracked OperationMissedThreshold "
    "OperationReplicatedAfterThreshold",
    "s3:LifecycleExpiration": "* Delete DeleteMarkerCreated",
    "s3:ObjectTagging": "* Put Delete",
    "s3:ObjectAnnotation": "* Put Delete",
    "s3:ObjectAcl": "Put",
    "s3:ObjectRetention": "Put",
}
EVENTS = frozenset(
    {f"{family}:{name}" for family, names in _FAMILIES.items() for name in names.split()}
    | {"s3:ReducedRedundancyLostObject", "s3:LifecycleTransition", "s3:IntelligentTiering"}
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Send events named in `events` (`s3:ObjectCreated:*`) of keys with this prefix and suffix to `target`, an ARN."""

    id: str
    target: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""
    filtered: bool = False


def rules(configuration: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules of a notification configuration in S3's own shape, functions first."""
    return tuple(_rule(one, one[arn]) for kind, arn in TARGETS.items() for one in configuration.get(kind) or ())


def _rule(one: Mapping[str, Any], target: str) -> Rule:
    filters = ((one.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
    # S3 wants special characters of a filter URL-encoded, and a space as "+": compare decoded with the plain key.
    values = {each["Name"].lower(): unquote_plus(each.get("Value") or "") for each in filters}
    return Rule(
        id=one.get("Id") or "",
        target=target,
        events=tuple(one["Events"]),
        prefix=values.get("prefix", ""),
        suffix=values.get("suffix", ""),
        filtered=bool(filters),
    )


def names(pattern: str, event: str) -> bool:
    """Whether `pattern` (`s3:ObjectCreated:*`) covers `event` (`ObjectCreated:Put`)."""
    bare = pattern.removeprefix("s3:")
    return event.startswith(bare[:-1]) if bare.endswith(":*") else event == bare


def wants(rule: Rule, event: str, key: str) -> bool:
    return (
        key.startswith(rule.prefix)
        and key.endswith(rule.suffix)
        and any(names(pattern, event) for pattern in rule.events)
    )


def matching(all_rules: Iterable[Rule], event: str, key: str) -> list[Rule]:
    """The rules that want `event` (without `s3:`) of `key` (plain text)."""
    return [rule for rule in all_rules if wants(rule, event, key)]


def overlap(all_rules: Sequence[Rule]) -> tuple[Rule, Rule] | None:
    """The first two rules that share an event and whose prefixes and suffixes could both fit one key."""
    for index, first in enumerate(all_rules):
        for second in all_rules[index + 1 :]:
            if _share_event(first, second) and _nested(first, second):
                return first, second
    return None


def _share_event(first: Rule, second: Rule) -> bool:
    return any(
        names(one, other.removeprefix("s3:")) or names(other, one.removeprefix("s3:"))
        for one in first.events
        for other in second.events
    )


def _nested(first: Rule, second: Rule) -> bool:
    prefixes = first.prefix.startswith(second.prefix) or second.prefix.startswith(first.prefix)
    suffixes = first.suffix.endswith(second.suffix) or second.suffix.endswith(first.suffix)
    return prefixes and suffixes
