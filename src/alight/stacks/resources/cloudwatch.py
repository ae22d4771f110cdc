"""AWS::CloudWatch::Alarm."""

from __future__ import annotations

from alight import names
from alight.stacks.provider import Named, Naming, Provider, Work
from alight.stacks.resources.values import given, tag_list

_MEMBERS = (
    "AlarmDescription", "ActionsEnabled", "AlarmActions", "OKActions", "InsufficientDataActions", "Namespace",
    "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Period", "Unit", "EvaluationPeriods",
    "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile",
)  # fmt: skip


async def _put(work: Work) -> None:
    """Defines or redefines; the state stays what it is. Tags go with a new alarm only."""
    await work.call(
        "cloudwatch", "PutMetricAlarm", AlarmName=work.name, **given(work.properties, *_MEMBERS),
        **tag_list(work.properties),
    )  # fmt: skip


async def _retag(work: Work) -> None:
    await _put(work)
    if work.changed("Tags"):
        before = [str(tag["Key"]) for tag in work.before.get("Tags") or []]
        if before:
            await work.call("cloudwatch", "UntagResource", ResourceARN=_arn(work), TagKeys=before)
        if tags := tag_list(work.properties):
            await work.call("cloudwatch", "TagResource", ResourceARN=_arn(work), **tags)


async def _delete(work: Work) -> None:
    await work.quietly("cloudwatch", "DeleteAlarms", AlarmNames=[work.name])


def _arn(one: Named) -> str:
    return str(names.Arn("cloudwatch", f"alarm:{one.name}"))


PROVIDERS = (
    Provider(
        type="AWS::CloudWatch::Alarm",
        naming=Naming("AlarmName", 255),
        create=_put,
        update=_retag,
        delete=_delete,
        attributes=lambda one: {"Ref": one.name, "Arn": _arn(one)},
        replaced_by=frozenset({"AlarmName"}),
        needs=(("cloudwatch", "PutMetricAlarm"), ("cloudwatch", "DeleteAlarms")),
    ),
)
