"""What wakes a function: rules of buckets, subscriptions of topics, queues that are read for it.

A bucket's is added as the console of AWS does it: the bucket is let in, then it is told whom to tell.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from alight.calls import Members
from alight.console.world import World
from alight.errors import Fault
from alight.names import ACCOUNT, bucket_arn, function_arn

#: What a rule may be about, as the form offers it.
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy",
          "s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectRemoved:*")  # fmt: skip
_LISTS = "LambdaFunctionConfigurations"


@dataclass(frozen=True, slots=True)
class Trigger:
    """`kind` is s3, sns, sqs; `source` a bucket's name or an ARN; `id` names it among its kind."""

    kind: str
    source: str
    id: str
    detail: str


async def triggers_of(world: World, function: str) -> list[Trigger]:
    """Everything that wakes the function, whatever qualifier it names."""
    arn = function_arn(function)
    found = []
    for bucket in world.objects.list_buckets():
        for rule in (bucket.settings.get("notification") or {}).get(_LISTS) or ():
            if _is_of(rule["LambdaFunctionArn"], arn):
                found.append(Trigger("s3", bucket.name, str(rule.get("Id") or ""), _rule_text(rule)))
    answer = await world.call("sns", "ListSubscriptions", {})
    for one in answer.get("Subscriptions") or ():
        if one["Protocol"] == "lambda" and _is_of(one["Endpoint"], arn):
            found.append(
                Trigger("sns", one["TopicArn"], one["SubscriptionArn"], "every message that its filter lets through")
            )
    answer = await world.call("lambda", "ListEventSourceMappings", {"FunctionName": function})
    for one in answer.get("EventSourceMappings") or ():
        found.append(
            Trigger(
                "sqs", one["EventSourceArn"], one["UUID"], f"up to {one['BatchSize']} messages a batch, {one['State']}"
            )
        )
    return found


async def add_bucket(world: World, function: str, bucket: str, events: list[str], prefix: str, suffix: str) -> None:
    """Raises the `Fault` of whichever service refuses; then the bucket tells whom it told before."""
    arn = function_arn(function)
    digest = hashlib.sha256("\0".join((bucket, *events, prefix, suffix)).encode()).hexdigest()[:12]
    configuration = await world.call("s3", "GetBucketNotificationConfiguration", {"Bucket": bucket})
    try:
        await world.call(
            "lambda",
            "AddPermission",
            {
                "FunctionName": function,
                "StatementId": f"console-{digest}",
                "Action": "lambda:InvokeFunction",
                "Principal": "s3.amazonaws.com",
                "SourceArn": bucket_arn(bucket),
                "SourceAccount": ACCOUNT,
            },
        )
    except Fault as fault:
        if fault.code != "ResourceConflictException":
            raise
    rule: dict[str, Any] = {"Id": f"console-{digest}", "LambdaFunctionArn": arn, "Events": events}
    filters = [{"Name": name, "Value": value} for name, value in (("prefix", prefix), ("suffix", suffix)) if value]
    if filters:
        rule["Filter"] = {"Key": {"FilterRules": filters}}
    await _put(world, bucket, {**configuration, _LISTS: [*(configuration.get(_LISTS) or ()), rule]})


async def remove(world: World, function: str, kind: str, source: str, id: str) -> None:
    """Take one trigger away."""
    if kind == "sns":
        await world.call("sns", "Unsubscribe", {"SubscriptionArn": id})
        return
    if kind == "sqs":
        await world.call("lambda", "DeleteEventSourceMapping", {"UUID": id})
        return
    configuration = await world.call("s3", "GetBucketNotificationConfiguration", {"Bucket": source})
    arn = function_arn(function)
    kept = [
        rule
        for rule in configuration.get(_LISTS) or ()
        if rule.get("Id") != id or not _is_of(rule["LambdaFunctionArn"], arn)
    ]
    await _put(world, source, {**configuration, _LISTS: kept})


async def _put(world: World, bucket: str, configuration: Members) -> None:
    shown = {name: value for name, value in configuration.items() if name != "ResponseMetadata" and value}
    await world.call("s3", "PutBucketNotificationConfiguration", {"Bucket": bucket, "NotificationConfiguration": shown})


def _is_of(target: str, arn: str) -> bool:
    return target == arn or target.startswith(f"{arn}:")


def _rule_text(rule: dict[str, Any]) -> str:
    filters = ((rule.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
    named = " ".join(f"{one['Name'].lower()} {one['Value']}" for one in filters)
    return f"{', '.join(rule['Events'])}{f', {named}' if named else ''}"
