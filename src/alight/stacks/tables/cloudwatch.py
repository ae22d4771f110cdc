"""Alarms."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Only, Refused, Table
from alight.stacks.tables.kinds import FLAG, NUMBER, TAGS, TEXT, TEXTS, WHOLE, N

_MATH = "metric math is not offered; name one metric."
_ALARM: Table = {
    "AlarmName": TEXT,
    "AlarmDescription": N,
    "ActionsEnabled": FLAG,
    "AlarmActions": TEXTS,
    "OKActions": TEXTS,
    "InsufficientDataActions": TEXTS,
    "Namespace": TEXT,
    "MetricName": TEXT,
    "Dimensions": [{"Name": TEXT, "Value": TEXT}],
    "Statistic": TEXT,
    "ExtendedStatistic": TEXT,
    "Period": WHOLE,
    "Unit": TEXT,
    "EvaluationPeriods": WHOLE,
    "DatapointsToAlarm": WHOLE,
    "Threshold": NUMBER,
    "ComparisonOperator": TEXT,
    "TreatMissingData": TEXT,
    "EvaluateLowSampleCountPercentile": Only(("evaluate",), "percentiles of few samples are evaluated, too."),
    "Tags": TAGS,
    "Metrics": Refused(_MATH),
    "ThresholdMetricId": Refused("there is no anomaly detection here."),
}

TABLES: Mapping[str, Table] = {"AWS::CloudWatch::Alarm": _ALARM}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::CloudWatch::Alarm": (
        "Namespace", "MetricName", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator",
        "Dimensions.*.Name", "Dimensions.*.Value",
    ),
}  # fmt: skip
