"""The operations of CloudWatch, as one table."""

from __future__ import annotations

from alight.calls import Handler
from alight.clock import Clock
from alight.notifications.topics import Topics
from alight.services.cloudwatch.alarms import Alarms
from alight.services.cloudwatch.history import History
from alight.services.cloudwatch.putting import Putting
from alight.services.cloudwatch.reading import Reading
from alight.services.cloudwatch.watching import Watch
from alight.services.members import Table, guarded, support
from alight.store.database import Database
from alight.store.records import Records
from alight.store.telemetry import Telemetry

TABLE: Table = {
    "DeleteAlarms": support("AlarmNames"),
    "DescribeAlarmHistory": support(
        "AlarmName AlarmTypes HistoryItemType StartDate EndDate MaxRecords NextToken ScanBy"
    ),
    "DescribeAlarms": support("AlarmNames AlarmNamePrefix AlarmTypes StateValue ActionPrefix MaxRecords NextToken"),
    "DescribeAlarmsForMetric": support("MetricName Namespace Statistic ExtendedStatistic Dimensions Period Unit"),
    "DisableAlarmActions": support("AlarmNames"),
    "EnableAlarmActions": support("AlarmNames"),
    "GetMetricData": support("MetricDataQueries StartTime EndTime NextToken ScanBy MaxDatapoints"),
    "GetMetricStatistics": support(
        "Namespace MetricName Dimensions StartTime EndTime Period Statistics ExtendedStatistics Unit"
    ),
    "ListMetrics": support(
        "Namespace MetricName Dimensions NextToken RecentlyActive OwningAccount", "IncludeLinkedAccounts"
    ),
    "ListTagsForResource": support("ResourceARN"),
    "PutMetricAlarm": support(
        "AlarmName ActionsEnabled OKActions AlarmActions InsufficientDataActions MetricName Namespace Statistic "
        "ExtendedStatistic Dimensions Period Unit EvaluationPeriods DatapointsToAlarm Threshold ComparisonOperator "
        "TreatMissingData EvaluateLowSampleCountPercentile",
        "AlarmDescription Tags",
    ),
    "PutMetricData": support("Namespace MetricData"),
    "SetAlarmState": support("AlarmName StateValue StateReason StateReasonData"),
    "TagResource": support("ResourceARN", "Tags"),
    "UntagResource": support("ResourceARN", "TagKeys"),
}


class CloudWatch:
    """The service. `watch.run` evaluates the alarms."""

    def __init__(
        self, database: Database, records: Records, telemetry: Telemetry, topics: Topics, clock: Clock
    ) -> None:
        history = History(database, records)
        self.watch = Watch(database, records, telemetry, topics, history, clock)
        self._putting = Putting(telemetry, clock)
        self._reading = Reading(telemetry, clock)
        self._alarms = Alarms(database, records, self.watch, history, clock)

    def operations(self) -> dict[tuple[str, str], Handler]:
        alarms = self._alarms
        handlers: dict[str, Handler] = {
            "DeleteAlarms": alarms.delete_alarms,
            "DescribeAlarmHistory": alarms.describe_alarm_history,
            "DescribeAlarms": alarms.describe_alarms,
            "DescribeAlarmsForMetric": alarms.describe_alarms_for_metric,
            "DisableAlarmActions": alarms.disable_alarm_actions,
            "EnableAlarmActions": alarms.enable_alarm_actions,
            "GetMetricData": self._reading.get_metric_data,
            "GetMetricStatistics": self._reading.get_metric_statistics,
            "ListMetrics": self._reading.list_metrics,
            "ListTagsForResource": alarms.list_tags_for_resource,
            "PutMetricAlarm": alarms.put_metric_alarm,
            "PutMetricData": self._putting.put_metric_data,
            "SetAlarmState": alarms.set_alarm_state,
            "TagResource": alarms.tag_resource,
            "UntagResource": alarms.untag_resource,
        }
        return guarded("cloudwatch", TABLE, handlers)
