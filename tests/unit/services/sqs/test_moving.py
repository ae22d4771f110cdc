"""Dead letters that go back: by message move tasks, which are records and survive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from alight.errors import Fault
from alight.services.permissions import needs
from alight.services.sqs import Sqs
from alight.store.records import Records
from tests.unit.services.sqs.conftest import Door

DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
LIVE = "arn:aws:sqs:us-east-1:000000000000:live"


async def given_up(door: Door, *bodies: str) -> tuple[str, str]:
    """A queue whose messages all went to its dead-letter queue; the URLs of both."""
    dead = await door.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 1})
    live = await door.queue("live", RedrivePolicy=redrive, VisibilityTimeout="1")
    await door.send(live, *bodies)
    for _ in range(2):
        await door.receive(live, MaxNumberOfMessages=10)
        door.clock.advance(2)
    return live, dead


async def tasks(door: Door) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await door.call("ListMessageMoveTasks", SourceArn=DEAD, MaxResults=10))["Results"]
    return found


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.005)


async def ended(door: Door) -> bool:
    return all(task["Status"] != "RUNNING" for task in await tasks(door))


async def test_messages_go_back_where_they_came_from_as_new_ones(door: Door) -> None:
    live, dead = await given_up(door, "a", "b")
    await door.call("StartMessageMoveTask", SourceArn=DEAD)
    await until(lambda: ended(door))
    [task] = await tasks(door)
    assert task.pop("StartedTimestamp") > 0
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": DEAD,
        "ApproximateNumberOfMessagesMoved": 2,
        "ApproximateNumberOfMessagesToMove": 2,
    }
    found = await door.receive(live, MaxNumberOfMessages=10, AttributeNames=["All"])
    assert [(one["Body"], one["Attributes"]["ApproximateReceiveCount"]) for one in found] == [("a", "1"), ("b", "1")]
    assert "DeadLetterQueueSourceArn" not in found[0]["Attributes"]
    assert await door.bodies(dead) == []


async def test_a_slow_move_can_be_cancelled_and_is_gone_on_with_after_a_restart(door: Door) -> None:
    _, dead = await given_up(door, "a", "b", "c", "d")
    other = await door.queue("other")
    given = {"DestinationArn": "arn:aws:sqs:us-east-1:000000000000:other", "MaxNumberOfMessagesPerSecond": 1}
    handle = (await door.call("StartMessageMoveTask", SourceArn=DEAD, **given))["TaskHandle"]
    with pytest.raises(Fault, match="There is already a task running"):
        await door.call("StartMessageMoveTask", SourceArn=DEAD)

    async def moved(count: int) -> bool:
        return bool((await tasks(door))[0]["ApproximateNumberOfMessagesMoved"] == count)

    await until(lambda: moved(1))
    await door.sqs.close()
    door.sqs = Sqs(door.database, Records(door.database), door.clock)
    door.sqs.resume()
    await until(lambda: moved(2))
    [task] = await tasks(door)
    assert (task["Status"], task["TaskHandle"], task["MaxNumberOfMessagesPerSecond"]) == ("RUNNING", handle, 1)
    cancelled = await door.call("CancelMessageMoveTask", TaskHandle=handle)
    assert cancelled == {"ApproximateNumberOfMessagesMoved": 2}
    door.clock.advance(1)
    assert await door.bodies(other, MaxNumberOfMessages=10) == ["a", "b"]
    assert await door.bodies(dead, MaxNumberOfMessages=10) == ["c", "d"]
    with pytest.raises(Fault, match="Only active tasks can be cancelled"):
        await door.call("CancelMessageMoveTask", TaskHandle=handle)
    await door.sqs.close()


async def test_a_message_without_a_source_ends_the_task(door: Door) -> None:
    _, dead = await given_up(door)
    await door.send(dead, "straight")
    await door.call("StartMessageMoveTask", SourceArn=DEAD)
    await until(lambda: ended(door))
    [task] = await tasks(door)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert await door.bodies(dead) == ["straight"]


async def test_what_cannot_be_moved_is_refused(door: Door) -> None:
    live, _ = await given_up(door)
    for given, code, words in (
        ({"SourceArn": LIVE}, "InvalidParameterValue", "must be configured as a Dead Letter Queue"),
        ({"SourceArn": LIVE + "x"}, "ResourceNotFoundException", "SourceArn parameter doesn't exist"),
        ({"SourceArn": DEAD, "DestinationArn": "x"}, "ResourceNotFoundException", "DestinationArn parameter"),
        ({"SourceArn": DEAD, "MaxNumberOfMessagesPerSecond": 501}, "InvalidParameterValue", "501"),
    ):
        with pytest.raises(Fault, match=words) as refused:
            await door.call("StartMessageMoveTask", **given)
        assert refused.value.code == code
    with pytest.raises(Fault, match="TaskHandle is invalid"):
        await door.call("CancelMessageMoveTask", TaskHandle="rubbish")
    handle = (await door.call("StartMessageMoveTask", SourceArn=DEAD))["TaskHandle"]
    assert needs("sqs", "CancelMessageMoveTask", {"TaskHandle": handle}) == [("sqs:CancelMessageMoveTask", DEAD)]
    asked = needs("sqs", "StartMessageMoveTask", {"SourceArn": DEAD, "DestinationArn": LIVE})
    assert asked[1:] == [
        ("sqs:ReceiveMessage", DEAD),
        ("sqs:DeleteMessage", DEAD),
        ("sqs:GetQueueAttributes", DEAD),
        ("sqs:SendMessage", LIVE),
    ]
    await until(lambda: ended(door))
    await door.call("DeleteQueue", QueueUrl=live.replace("live", "dead"))
    await door.queue("dead")
    assert await tasks(door) == []


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ({"redrivePermission": "allowAll"}, True),
        ({"redrivePermission": "denyAll"}, False),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [LIVE]}, True),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [DEAD]}, False),
    ],
)
async def test_a_queue_says_whose_dead_letters_it_takes(door: Door, policy: dict[str, Any], allowed: bool) -> None:
    await door.queue("dead", RedriveAllowPolicy=json.dumps(policy))
    redrive = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 1})
    if allowed:
        await door.queue("live", RedrivePolicy=redrive)
        return
    with pytest.raises(Fault, match="does not allow dead letters"):
        await door.queue("live", RedrivePolicy=redrive)


async def test_a_queue_is_purged_once_in_a_minute(door: Door) -> None:
    url = await door.queue()
    await door.call("PurgeQueue", QueueUrl=url)
    await door.send(url, "a")
    await door.call("SetQueueAttributes", QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    with pytest.raises(Fault, match="allowed every 60 seconds") as refused:
        await door.call("PurgeQueue", QueueUrl=url)
    assert refused.value.code == "PurgeQueueInProgress"
    assert await door.bodies(url) == ["a"]
    door.clock.advance(60)
    await door.call("PurgeQueue", QueueUrl=url)
    assert await door.bodies(url) == []


async def test_sources_of_dead_letters_are_listed_in_pages(door: Door) -> None:
    await given_up(door)
    redrive = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 1})
    await door.queue("more", RedrivePolicy=redrive)
    url = await door.queue("dead")
    first = await door.call("ListDeadLetterSourceQueues", QueueUrl=url, MaxResults=1)
    rest = await door.call("ListDeadLetterSourceQueues", QueueUrl=url, MaxResults=1, NextToken=first["NextToken"])
    assert [one["queueUrls"][0].rpartition("/")[2] for one in (first, rest)] == ["live", "more"]
    assert "NextToken" not in rest
