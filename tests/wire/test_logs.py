"""Logs by boto3 and by the command line: written, read page by page, searched, followed, forgotten."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import eventually, find_tool
from tests.wire.running_logs import Running, running_logs
from tests.wire.served import aws_environment, client

DAY = 86_400_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_logs(tmp_path_factory.mktemp("data")) as here:
        yield here


def now() -> int:
    return int(time.time() * 1000)


def made(running: Running, group: str, stream: str = "s", **more: Any) -> str:
    running.client.create_log_group(logGroupName=group, **more)
    running.client.create_log_stream(logGroupName=group, logStreamName=stream)
    return group


def put(running: Running, group: str, *events: tuple[int, str], stream: str = "s") -> dict[str, Any]:
    listed = [{"timestamp": moment, "message": message} for moment, message in events]
    answer: dict[str, Any] = running.client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=listed)
    return answer


def texts(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_lines_come_back_page_by_page_in_both_directions(running: Running) -> None:
    group, moment = made(running, "/pages"), now()
    put(running, group, *((moment + number, f"line {number}") for number in range(5)))
    read = {"logGroupName": group, "logStreamName": "s", "limit": 2}
    first = running.client.get_log_events(**read, startFromHead=True)
    assert (texts(first), first["events"][0]["timestamp"]) == (["line 0", "line 1"], moment)
    second = running.client.get_log_events(**read, nextToken=first["nextForwardToken"])
    third = running.client.get_log_events(**read, nextToken=second["nextForwardToken"])
    end = running.client.get_log_events(**read, nextToken=third["nextForwardToken"])
    assert [texts(page) for page in (second, third, end)] == [["line 2", "line 3"], ["line 4"], []]
    assert end["nextForwardToken"] == third["nextForwardToken"], "the end is where the token stays the same"
    put(running, group, (moment + 9, "later"))
    assert texts(running.client.get_log_events(**read, nextToken=end["nextForwardToken"])) == ["later"]
    last = running.client.get_log_events(**read)
    assert texts(last) == ["line 4", "later"]
    assert texts(running.client.get_log_events(**read, nextToken=last["nextBackwardToken"])) == ["line 2", "line 3"]
    stretch = running.client.get_log_events(**read, startTime=moment + 1, endTime=moment + 3)
    assert texts(stretch) == ["line 1", "line 2"]


def test_pages_end_after_a_megabyte(running: Running) -> None:
    group, moment = made(running, "/large"), now()
    for number in range(3):
        put(running, group, (moment + number, str(number) * 700_000))
    found = running.client.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True)
    assert [text[0] for text in texts(found)] == ["0"]
    pages = list(running.client.get_paginator("filter_log_events").paginate(logGroupName=group))
    assert [text[0] for page in pages for text in texts(page)] == ["0", "1", "2"]
    assert len(pages) == 2


def test_what_is_left_out_of_a_batch_is_told(running: Running) -> None:
    group, moment = made(running, "/left-out"), now()
    running.client.put_retention_policy(logGroupName=group, retentionInDays=3)
    expired = put(running, group, (moment - 3 * DAY - 1000, "expired"), (moment - 3 * DAY + 60_000, "kept"))
    assert expired["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    new = put(running, group, (moment, "kept, too"), (moment + 3 * 3_600_000, "new"))
    assert new["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    old = put(running, group, (moment - 15 * DAY, "old"))
    assert old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 1}
    assert texts(running.client.filter_log_events(logGroupName=group)) == ["kept", "kept, too"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([(1, "b"), (0, "a")], "chronological order"),
        ([(0, "a"), (DAY + 1, "b")], "24 hours"),
        ([(0, "x" * 1_048_551)], "too large"),
        ([(0, "x" * 700_000), (0, "x" * 700_000)], "too large"),
        ([(0, "x")] * 10_001, "10000"),
    ],
)
def test_batches_that_are_not_taken(running: Running, events: list[tuple[int, str]], words: str) -> None:
    if not running.client.describe_log_groups(logGroupNamePrefix="/refused")["logGroups"]:
        made(running, "/refused")
    moment = now() - 2 * DAY
    listed = [{"timestamp": moment + later, "message": message} for later, message in events]
    given = {"logGroupName": "/refused", "logStreamName": "s", "logEvents": listed}
    code, message = refused(running.client.put_log_events, **given)
    assert (code, words in message) == ("InvalidParameterException", True)
    assert texts(running.client.filter_log_events(logGroupName="/refused")) == []


def test_groups_and_streams_have_their_life(running: Running) -> None:
    logs = running.client
    group = made(running, "/life", tags={"team": "birds"})
    assert refused(logs.create_log_group, logGroupName=group)[0] == "ResourceAlreadyExistsException"
    stream = {"logGroupName": group, "logStreamName": "s"}
    assert refused(logs.create_log_stream, **stream)[0] == "ResourceAlreadyExistsException"
    assert refused(logs.create_log_group, logGroupName="a b")[0] == "InvalidParameterException"
    assert refused(logs.put_retention_policy, logGroupName=group, retentionInDays=2)[0] == "InvalidParameterException"
    assert refused(logs.create_log_group, logGroupName="rare", logGroupClass="INFREQUENT_ACCESS")[0] == "NotImplemented"
    nobody = ("ResourceNotFoundException", "The specified log stream does not exist.")
    missing = {"logGroupName": group, "logStreamName": "none"}
    assert refused(logs.get_log_events, **missing) == nobody
    assert refused(logs.put_log_events, **missing, logEvents=[{"timestamp": 1, "message": "m"}]) == nobody
    assert refused(logs.delete_log_stream, **missing) == nobody
    gone = ("ResourceNotFoundException", "The specified log group does not exist.")
    assert refused(logs.create_log_stream, logGroupName="nobody", logStreamName="s") == gone
    put(running, group, (now(), "ä"))
    [described] = logs.describe_log_groups(logGroupNamePattern="LIF")["logGroups"]
    assert (described["logGroupName"], described["storedBytes"]) == (group, 2 + 26)
    arn = described["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"cost": "7"})
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"cost": "7"}
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"cost": "7"}
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    logs.delete_log_stream(**stream)
    assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []
    assert texts(logs.filter_log_events(logGroupName=group)) == []
    logs.delete_log_group(logGroupName=group)
    assert refused(logs.describe_log_streams, logGroupName=group) == gone


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("put_retention_policy", {"retentionInDays": 7}),
        ("delete_retention_policy", {}),
        ("tag_log_group", {"tags": {"a": "b"}}),
        ("list_tags_log_group", {}),
        ("delete_log_group", {}),
        ("list_tags_for_resource", {"resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:"}),
    ],
)
def test_a_functions_group_is_there_with_its_first_line(
    running: Running, operation: str, given: dict[str, Any]
) -> None:
    group = f"/aws/lambda/{operation}"
    arn = given.get("resourceArn")
    named = {"resourceArn": f"{arn}{group}"} if arn else {"logGroupName": group}
    # Given a line that nobody has asked for yet, so that it waits for others to be written with
    running.telemetry.log(group, "s", time.time(), "first")
    getattr(running.client, operation)(**given | named)


def test_a_group_keeps_its_lines_as_long_as_it_says(running: Running) -> None:
    moment = now()
    for group, days in (("/kept/short", 1), ("/kept/long", 30), ("/kept/else", None)):
        made(running, group)
        put(running, group, (moment - 5 * DAY, "five days"))
        put(running, group, (moment, "now"))
        if days:
            running.client.put_retention_policy(logGroupName=group, retentionInDays=days)
    running.forget(3)
    left = {
        group: texts(running.client.filter_log_events(logGroupName=f"/kept/{group}"))
        for group in ("short", "long", "else")
    }
    assert left == {"short": ["now"], "long": ["five days", "now"], "else": ["now"]}
    [short] = running.client.describe_log_groups(logGroupNamePrefix="/kept/short")["logGroups"]
    assert short["storedBytes"] == 3 + 26


def test_searches(running: Running) -> None:
    group, moment = made(running, "/search"), now()
    running.client.create_log_stream(logGroupName=group, logStreamName="other")
    lines = ('{"level": "ERROR", "ms": 12}', '{"level": "INFO", "ms": 900}', "127.0.0.1 GET 404", "plain ERROR")
    put(running, group, *((moment + number, line) for number, line in enumerate(lines)))
    put(running, group, (moment + 9, "elsewhere ERROR"), stream="other")

    def search(pattern: str, **more: Any) -> list[str]:
        answer = running.client.filter_log_events(logGroupName=group, filterPattern=pattern, **more)
        return texts(answer)

    assert search('{ $.level = "ERROR" || $.ms > 100 }') == list(lines[:2])
    assert search("[ip, verb, status=4*]") == [lines[2]]
    assert search("ERROR -plain") == [lines[0], "elsewhere ERROR"]
    assert search("%[Ee]lse%") == ["elsewhere ERROR"]
    assert search("ERROR", logStreamNames=["other"]) == ["elsewhere ERROR"]
    assert search("ERROR", logStreamNamePrefix="oth") == ["elsewhere ERROR"]
    assert refused(running.client.filter_log_events, logGroupName=group, filterPattern="{ $.a")[0] == (
        "InvalidParameterException"
    )


def test_metrics_in_lines_are_counted(running: Running) -> None:
    group, moment = made(running, "/embedded"), now()
    metrics = [{"Name": "Pictures", "Unit": "Count"}, {"Name": "Took", "Unit": "Milliseconds"}, {"Name": "None"}]
    about = {"Namespace": "Birds", "Dimensions": [["service"], []], "Metrics": metrics}
    line = {
        "_aws": {"Timestamp": moment, "CloudWatchMetrics": [about]},
        "service": "s",
        "Pictures": 2,
        "Took": [1, 3.5],
    }
    broken = [
        json.dumps(
            {"_aws": {"Timestamp": moment, "CloudWatchMetrics": [about | change]}, "service": "s", "Pictures": 1}
        )
        for change in ({"Namespace": "AWS/Lambda"}, {"Dimensions": [["nobody"]]}, {"Metrics": 7})
    ]
    put(running, group, (moment, json.dumps(line)), *((moment, text) for text in (*broken, '{"CloudWatchMetrics"')))
    assert len(running.client.filter_log_events(logGroupName=group)["events"]) == 5
    assert running.counted("Birds") == [
        ("Pictures", {"service": "s"}, 2.0, 1.0), ("Pictures", {}, 2.0, 1.0),
        ("Took", {"service": "s"}, 4.5, 2.0), ("Took", {}, 4.5, 2.0),
    ]  # fmt: skip
    assert running.counted("AWS/Lambda") == []


def test_a_live_tail(running: Running) -> None:
    """boto3 would ask at `stream-HOST`, which only AWS has."""
    group = made(running, "/live")
    running.client.create_log_stream(logGroupName=group, logStreamName="other")
    put(running, group, (now(), "ERROR before"))
    arn = running.client.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    tailing = client("logs", running.port, config={"inject_host_prefix": False})
    given = {"logGroupIdentifiers": [arn], "logStreamNames": ["s"], "logEventFilterPattern": "ERROR"}
    stream = tailing.start_live_tail(**given)["responseStream"]
    events = iter(stream)
    start = next(events)["sessionStart"]
    assert (start["logGroupIdentifiers"], start["logEventFilterPattern"]) == ([arn], "ERROR")
    for message, place in (("INFO", "s"), ("ERROR elsewhere", "other"), ("ERROR here", "s")):
        put(running, group, (now(), message), stream=place)
    lines: list[dict[str, Any]] = []
    while not lines:
        update = next(events)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        lines += update["sessionResults"]
    assert [(line["message"], line["logStreamName"], line["logGroupIdentifier"]) for line in lines] == [
        ("ERROR here", "s", "000000000000:/live")
    ]
    stream.close()
    tailing.close()
    eventually(lambda: running.tails() == 0, what="the end of the session")
    running.telemetry.log("/aws/lambda/tailed", "s", time.time(), "first")
    first = ["arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/tailed"]
    tailing.start_live_tail(logGroupIdentifiers=first)["responseStream"].close()
    nobody = {"logGroupIdentifiers": ["arn:aws:logs:us-east-1:000000000000:log-group:nobody"]}
    assert refused(tailing.start_live_tail, **nobody)[0] == "ResourceNotFoundException"


@pytest.mark.tool("aws2")
def test_the_command_line_follows(running: Running, tmp_path: Path) -> None:
    program, environment = find_tool("aws2"), aws_environment(tmp_path)
    assert program is not None
    command = [program, "--endpoint-url", running.url, "logs"]

    def aws(*words: str) -> Any:
        done = subprocess.run(
            [*command, *words], capture_output=True, env=environment, timeout=100, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout) if done.stdout.strip() else None

    aws("create-log-group", "--log-group-name", "/cli")
    running.client.create_log_stream(logGroupName="/cli", logStreamName="s")
    events = json.dumps([{"timestamp": now(), "message": "first"}])
    aws("put-log-events", "--log-group-name", "/cli", "--log-stream-name", "s", "--log-events", events)
    following = subprocess.Popen(
        [*command, "tail", "/cli", "--follow", "--format", "short"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment,
    )  # fmt: skip
    lines: list[str] = []
    assert following.stdout is not None
    stdout = following.stdout
    reader = threading.Thread(target=lambda: lines.extend(stdout), daemon=True)
    reader.start()
    try:
        eventually(lambda: any("first" in line for line in lines), timeout=60, what="the first line")
        put(running, "/cli", (now(), "second"))
        eventually(lambda: any("second" in line for line in lines), timeout=60, what="the second line")
    finally:
        following.kill()
        following.wait()
        reader.join(10)
        stdout.close()
    assert sum("first" in line for line in lines) == 1
