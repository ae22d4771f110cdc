"""The operations of CloudWatch Logs, as one table."""

from __future__ import annotations

from alight.calls import Handler
from alight.clock import Clock
from alight.services.logs.groups import Groups
from alight.services.logs.places import Places
from alight.services.logs.reading import Reading
from alight.services.logs.streams import Streams
from alight.services.logs.tailing import Tailing
from alight.services.logs.writing import Writing
from alight.services.members import Table, guarded, support
from alight.store.database import Database
from alight.store.records import Records
from alight.store.telemetry import Telemetry

TABLE: Table = {
    "CreateLogGroup": support("logGroupName logGroupClass", "tags"),
    "CreateLogStream": support("logGroupName logStreamName"),
    "DeleteLogGroup": support("logGroupName"),
    "DeleteLogStream": support("logGroupName logStreamName"),
    "DeleteRetentionPolicy": support("logGroupName"),
    "DescribeLogGroups": support("logGroupNamePrefix logGroupNamePattern nextToken limit", "includeLinkedAccounts"),
    "DescribeLogStreams": support(
        "logGroupName logGroupIdentifier logStreamNamePrefix orderBy descending nextToken limit"
    ),
    "FilterLogEvents": support(
        "logGroupName logGroupIdentifier logStreamNames logStreamNamePrefix startTime endTime filterPattern nextToken "
        "limit",
        "interleaved unmask",
    ),
    "GetLogEvents": support(
        "logGroupName logGroupIdentifier logStreamName startTime endTime nextToken limit startFromHead", "unmask"
    ),
    "ListTagsForResource": support("resourceArn"),
    "ListTagsLogGroup": support("logGroupName"),
    "PutLogEvents": support("logGroupName logStreamName logEvents", "sequenceToken"),
    "PutRetentionPolicy": support("logGroupName retentionInDays"),
    "StartLiveTail": support("logGroupIdentifiers logStreamNames logStreamNamePrefixes logEventFilterPattern"),
    "TagLogGroup": support("logGroupName", "tags"),
    "TagResource": support("resourceArn", "tags"),
    "UntagLogGroup": support("logGroupName", "tags"),
    "UntagResource": support("resourceArn", "tagKeys"),
}


class Logs:
    """The service."""

    def __init__(self, database: Database, records: Records, telemetry: Telemetry, clock: Clock) -> None:
        places = Places(records, telemetry)
        self._groups = Groups(database, records, telemetry, places)
        self._streams = Streams(telemetry, places)
        self._writing = Writing(telemetry, places, clock)
        self._reading = Reading(telemetry, places)
        self.tailing = Tailing(telemetry, places, clock)

    def operations(self) -> dict[tuple[str, str], Handler]:
        groups, streams = self._groups, self._streams
        handlers: dict[str, Handler] = {
            "CreateLogGroup": groups.create_log_group,
            "CreateLogStream": streams.create_log_stream,
            "DeleteLogGroup": groups.delete_log_group,
            "DeleteLogStream": streams.delete_log_stream,
            "DeleteRetentionPolicy": groups.delete_retention_policy,
            "DescribeLogGroups": groups.describe_log_groups,
            "DescribeLogStreams": streams.describe_log_streams,
            "FilterLogEvents": self._reading.filter_log_events,
            "GetLogEvents": self._reading.get_log_events,
            "ListTagsForResource": groups.list_tags_for_resource,
            "ListTagsLogGroup": groups.list_tags_log_group,
            "PutLogEvents": self._writing.put_log_events,
            "PutRetentionPolicy": groups.put_retention_policy,
            "StartLiveTail": self.tailing.start_live_tail,
            "TagLogGroup": groups.tag_log_group,
            "TagResource": groups.tag_resource,
            "UntagLogGroup": groups.untag_log_group,
            "UntagResource": groups.untag_resource,
        }
        return guarded("logs", TABLE, handlers)
