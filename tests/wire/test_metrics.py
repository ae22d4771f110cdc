"""Metrics by boto3 (JSON), and by both command lines (JSON, the query protocol): put, listed, and read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.loaded import Loaded
from tests.wire.running_metrics import Metrics, running_metrics
from tests.wire.served import AWS_PROGRAMS, aws_environment

#: A full hour yesterday, so that periods of five minutes begin where they are expected.
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=24)


def at(minutes: float) -> datetime:
    return HOUR + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    with running_metrics(tmp_path_factory.mktemp("data")) as here:
        yield here


def put(running: Metrics, namespace: str, name: str, *values: float, minute: float = 0, **more: Any) -> None:
    datum = {"MetricName": name, "Timestamp": at(minute), "Values": list(values)} | more
    running.client.put_metric_data(Namespace=namespace, MetricData=[datum])


def statistics(running: Metrics, namespace: str, name: str, period: int = 300, **more: Any) -> list[dict[str, Any]]:
    given = {"StartTime": HOUR, "EndTime": at(60), "Statistics": ["Sum"]} | more
    answer = running.client.get_metric_statistics(Namespace=namespace, MetricName=name, Period=period, **given)
    assert answer["Label"] == name
    points: list[dict[str, Any]] = answer["Datapoints"]
    return points


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_statistics_of_periods(running: Metrics) -> None:
    put(running, "Shop", "Paid", 1, 2, 3, Counts=[1, 2, 1], Unit="Milliseconds")
    put(running, "Shop", "Paid", 10, minute=4.9, Unit="Milliseconds")
    put(running, "Shop", "Paid", 7, minute=5, Unit="Milliseconds")
    put(running, "Shop", "Paid", 9, minute=60, Unit="Milliseconds")
    first, second = statistics(
        running, "Shop", "Paid", Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
        ExtendedStatistics=["p50", "p99.9"],
    )  # fmt: skip
    assert first == {
        "Timestamp": HOUR, "Unit": "Milliseconds", "Sum": 18, "Average": 3.6, "Minimum": 1, "Maximum": 10,
        "SampleCount": 5, "ExtendedStatistics": {"p50": 2, "p99.9": 10},
    }  # fmt: skip
    assert (second["Timestamp"], second["Sum"]) == (at(5), 7)
    # Periods are counted from the start, which is rounded down to its minute.
    shifted = statistics(running, "Shop", "Paid", StartTime=at(4) + timedelta(seconds=50))
    assert [(point["Timestamp"], point["Sum"]) for point in shifted] == [(at(4), 17)]
    assert statistics(running, "Shop", "Paid", Unit="Seconds") == []


def test_a_metric_is_its_dimensions(running: Metrics) -> None:
    for value, place in ((1, {}), (2, {"A": "x"}), (3, {"A": "x", "B": "y"})):
        put(running, "Places", "m", value, Dimensions=[{"Name": name, "Value": one} for name, one in place.items()])
    given = [{"Name": "B", "Value": "y"}, {"Name": "A", "Value": "x"}]
    assert [point["Sum"] for point in statistics(running, "Places", "m", Dimensions=given)] == [3]
    assert [point["Sum"] for point in statistics(running, "Places", "m")] == [1]
    listed = running.client.list_metrics(Namespace="Places", Dimensions=[{"Name": "A"}])["Metrics"]
    assert sorted(len(metric["Dimensions"]) for metric in listed) == [1, 2]
    with_value = [{"Name": "A", "Value": "z"}]
    assert running.client.list_metrics(Namespace="Places", Dimensions=with_value)["Metrics"] == []
    assert running.client.list_metrics(Namespace="Places", RecentlyActive="PT3H")["Metrics"] == []


def test_statistic_sets(running: Metrics) -> None:
    whole = {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5}
    for given in (whole, {"SampleCount": 2, "Sum": 6, "Minimum": 3, "Maximum": 3}):
        datum = {"MetricName": "set", "Timestamp": HOUR, "StatisticValues": given}
        running.client.put_metric_data(Namespace="Sets", MetricData=[datum])
    [point] = statistics(running, "Sets", "set", Statistics=["Average", "Maximum"], ExtendedStatistics=["p50"])
    assert (point["Average"], point["Maximum"]) == (16 / 6, 5)
    assert "ExtendedStatistics" not in point, "of sets there are no percentiles"


def test_many_pages_and_a_compressed_request(running: Metrics) -> None:
    """boto3 compresses what is larger than ten kilobytes."""
    for first in (0, 500):
        running.client.put_metric_data(
            Namespace="Many",
            MetricData=[{"MetricName": f"m{first + number:04}", "Value": 1.0} for number in range(500)],
        )
    running.client.put_metric_data(Namespace="Many", MetricData=[{"MetricName": "one more", "Value": 1.0}])
    pages = list(running.client.get_paginator("list_metrics").paginate(Namespace="Many"))
    assert [len(page["Metrics"]) for page in pages] == [500, 500, 1]
    assert len({metric["MetricName"] for page in pages for metric in page["Metrics"]}) == 1_001
    assert len(running.client.list_metrics(Namespace="Many", RecentlyActive="PT3H")["Metrics"]) == 500


def test_several_metrics_at_once(running: Metrics) -> None:
    for minute in range(5):
        put(running, "Data", "a", minute, minute=minute)
        put(running, "Data", "b", 10 * minute, minute=minute)

    def query(id: str, name: str, stat: str, **more: Any) -> dict[str, Any]:
        metric = {"Namespace": "Data", "MetricName": name}
        return {"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}

    queries = [query("a", "a", "Sum", Label="first"), query("b", "b", "p50"), query("c", "b", "Sum", ReturnData=False)]
    given = {"MetricDataQueries": queries, "StartTime": HOUR, "EndTime": at(60)}
    first, second = running.client.get_metric_data(**given)["MetricDataResults"]
    assert (first["Label"], first["Values"], first["StatusCode"]) == ("first", [4, 3, 2, 1, 0], "Complete")
    assert (second["Label"], second["Values"], second["Timestamps"][0]) == ("b", [40, 30, 20, 10, 0], at(4))
    pages = running.client.get_paginator("get_metric_data").paginate(
        **given, ScanBy="TimestampAscending", MaxDatapoints=3
    )
    seen = [(part["Id"], part["StatusCode"], part["Values"]) for page in pages for part in page["MetricDataResults"]]
    assert seen == [
        ("a", "PartialData", [0, 1, 2]), ("a", "Complete", [3, 4]), ("b", "PartialData", [0]),
        ("b", "PartialData", [10, 20, 30]), ("b", "Complete", [40]),
    ]  # fmt: skip
    expression = [{"Id": "e", "Expression": "a + b"}]
    code, message = refused(running.client.get_metric_data, **{**given, "MetricDataQueries": expression})
    assert (code, "Expression" in message) == ("NotImplemented", True)


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({}, "MissingParameter"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterCombination"),
        ({"Value": 1e300}, "InvalidParameterValue"),
        ({"Value": 1.0, "Unit": "Parsecs"}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": datetime.now(UTC) + timedelta(hours=3)}, "InvalidParameterValue"),
        ({"Value": 1.0, "Dimensions": [{"Name": "a", "Value": " "}]}, "InvalidParameterValue"),
        ({"Value": 1.0, "StorageResolution": 1}, "NotImplemented"),
    ],
)
def test_what_is_not_taken(running: Metrics, datum: dict[str, Any], code: str) -> None:
    """And with it nothing of the request."""
    good = {"MetricName": "good", "Value": 1.0}
    data = [good, {"MetricName": "bad"} | datum]
    assert refused(running.client.put_metric_data, Namespace="Refused", MetricData=data)[0] == code
    assert running.client.list_metrics(Namespace="Refused")["Metrics"] == []


def test_what_is_not_answered(running: Metrics) -> None:
    def ask(**more: Any) -> tuple[str, str]:
        given = {"Period": 60, "StartTime": HOUR, "EndTime": at(60), "Statistics": ["Sum"]} | more
        given = {name: value for name, value in given.items() if value is not None}
        return refused(running.client.get_metric_statistics, Namespace="N", MetricName="m", **given)

    assert ask(EndTime=HOUR) == (
        "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.",
    )  # fmt: skip
    code, message = ask(StartTime=at(-1608), EndTime=HOUR)
    assert (code, message[:83]) == (
        "InvalidParameterCombination",
        "You have requested up to 1,608 datapoints, which exceeds the limit of 1,440. You ma",
    )
    assert ask(Period=90)[0] == "InvalidParameterValue"
    assert ask(Period=10)[0] == "NotImplemented"
    assert ask(Statistics=None, ExtendedStatistics=["p101"])[0] == "InvalidParameterValue"
    assert ask(Statistics=None, ExtendedStatistics=["tm90"])[0] == "NotImplemented"
    assert ask(Statistics=None)[0] == "InvalidParameterCombination"
    own = refused(
        running.client.put_metric_data, Namespace="AWS/Lambda", MetricData=[{"MetricName": "m", "Value": 1.0}]
    )
    assert own[0] == "InvalidParameterValue"
    assert refused(running.client.list_metrics, NextToken="no token")[0] == "InvalidNextToken"


@pytest.mark.parametrize("tool", AWS_PROGRAMS)
def test_the_command_line(running: Metrics, tool: str, tmp_path: Path, loaded: Loaded) -> None:
    program = loaded(tool)
    environment = aws_environment(tmp_path)

    def aws(*words: str) -> Any:
        command = [program, "--endpoint-url", running.url, "--output", "json", "cloudwatch", *words]
        done = subprocess.run(command, capture_output=True, env=environment, timeout=100, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout) if done.stdout.strip() else None

    metric = ("--namespace", f"Cli/{tool}", "--metric-name", "Birds")
    given = ("--value", "3", "--unit", "Count", "--timestamp", HOUR.isoformat(), "--dimensions", "Wood=north")
    aws("put-metric-data", *metric, *given)
    here = ("--dimensions", "Name=Wood,Value=north")
    stretch = ("--start-time", HOUR.isoformat(), "--end-time", at(60).isoformat())
    answer = aws(
        "get-metric-statistics", *metric, *here, *stretch, "--period", "3600", "--statistics", "Sum", "SampleCount"
    )
    [point] = answer["Datapoints"]
    assert (point["Sum"], point["SampleCount"], point["Unit"]) == (3, 1, "Count")
    here_listed = [{"Name": "Wood", "Value": "north"}]
    [listed] = aws("list-metrics", "--namespace", f"Cli/{tool}")["Metrics"]
    assert listed["Dimensions"] == here_listed
    asked = {"Metric": {"Namespace": f"Cli/{tool}", "MetricName": "Birds", "Dimensions": listed["Dimensions"]}}
    query = [{"Id": "q", "MetricStat": asked | {"Period": 60, "Stat": "p99"}}]
    data = aws("get-metric-data", *stretch, "--metric-data-queries", json.dumps(query))
    assert data["MetricDataResults"][0]["Values"] == [3]
    topic = "arn:aws:sns:us-east-1:000000000000:nobody"
    aws(
        "put-metric-alarm", "--alarm-name", tool, *metric, *here, "--statistic", "Sum", "--period", "60",
        "--evaluation-periods", "2", "--threshold", "3", "--comparison-operator", "GreaterThanThreshold",
        "--alarm-actions", topic,
    )  # fmt: skip
    aws("set-alarm-state", "--alarm-name", tool, "--state-value", "ALARM", "--state-reason", "a test")
    [alarm] = aws("describe-alarms", "--alarm-name-prefix", tool, "--state-value", "ALARM")["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["Dimensions"], alarm["AlarmActions"]) == (tool, here_listed, [topic])
    items = aws("describe-alarm-history", "--alarm-name", tool)["AlarmHistoryItems"]
    assert [item["HistoryItemType"] for item in items] == ["Action", "StateUpdate", "ConfigurationUpdate"]
    aws("delete-alarms", "--alarm-names", tool)


def test_alarms_that_are_not_taken(running: Metrics) -> None:
    def ask(**more: Any) -> str:
        given = {
            "AlarmName": "bad", "Namespace": "N", "MetricName": "m", "Period": 60, "EvaluationPeriods": 1,
            "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum",
        }  # fmt: skip
        given = {name: value for name, value in (given | more).items() if value is not None}
        return refused(running.client.put_metric_alarm, **given)[0]

    assert ask(Threshold=None) == "MissingParameter"
    assert ask(ExtendedStatistic="p50") == "InvalidParameterCombination"
    assert ask(Statistic=None, ExtendedStatistic="tm90") == "NotImplemented"
    assert ask(DatapointsToAlarm=2) == "ValidationError"
    assert ask(EvaluationPeriods=1_441) == "ValidationError"
    assert ask(TreatMissingData="perhaps") == "ValidationError"
    assert ask(ComparisonOperator="GreaterThanUpperThreshold") == "NotImplemented"
    assert ask(AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"]) == "NotImplemented"
    assert ask(AlarmActions=["no arn"]) == "ValidationError"
    assert ask(AlarmActions=["arn:aws:lambda:us-east-1:000000000000:function:f"]) == "NotImplemented"
    assert ask(Metrics=[{"Id": "e", "Expression": "a + b"}]) == "NotImplemented"
    composite = refused(running.client.put_composite_alarm, AlarmName="both", AlarmRule="ALARM(a) AND ALARM(b)")
    assert composite[0] == "NotImplemented"
    assert running.client.describe_alarms(AlarmNamePrefix="b")["MetricAlarms"] == []


def test_alarms_by_pages_and_by_metric(running: Metrics) -> None:
    for number in range(3):
        running.client.put_metric_alarm(
            AlarmName=f"page{number}", Namespace="Pages", MetricName=f"m{number % 2}", Period=60, EvaluationPeriods=1,
            Threshold=5.0, ComparisonOperator="LessThanThreshold", Statistic="Sum",
        )  # fmt: skip
    pages = running.client.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix="page", PaginationConfig={"PageSize": 2}
    )
    assert [[alarm["AlarmName"] for alarm in page["MetricAlarms"]] for page in pages] == [["page0", "page1"], ["page2"]]
    of_metric = running.client.describe_alarms_for_metric(Namespace="Pages", MetricName="m0")["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in of_metric] == ["page0", "page2"]
    running.client.delete_alarms(AlarmNames=["page0", "page1", "page2", "nobody"])
    assert running.client.describe_alarms(AlarmNamePrefix="page")["MetricAlarms"] == []
