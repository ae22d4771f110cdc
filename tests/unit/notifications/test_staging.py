"""Publishes of an asynchronous event leave with its deciding attempt (design, decision 3)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from alight.calls import Attempt
from alight.errors.store import InsufficientStorage
from alight.notifications.message import Message
from alight.notifications.staging import MOST_BYTES, MOST_MESSAGES
from alight.store import journal
from alight.store.database import Tx
from tests.unit.notifications.conftest import House, OpenHouse

QUEUE = "arn:aws:sqs:us-east-1:000000000000:sightings"


def attempt(fence: int, *, staged: bool = True, event: str = "event-1") -> Attempt:
    return Attempt("request", "arn:aws:lambda:us-east-1:000000000000:function:f", event, fence, staged)


async def subscribed(open_house: OpenHouse) -> tuple[House, str]:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    return house, topic


def texts(house: House) -> list[str]:
    return [json.loads(body)["Message"] for _, body, _ in house.queued]


async def test_a_retry_whose_message_contains_the_time_notifies_once(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)

    # Given two attempts of one event that each publish something different
    first = await house.call("Publish", attempt(1), TopicArn=topic, Message=f"at {time.time_ns()}")
    second = await house.call("Publish", attempt(2), TopicArn=topic, Message=f"again at {time.time_ns()}")
    assert first["MessageId"] != second["MessageId"]
    assert house.deliveries() == []

    # When the second one decides
    await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 2))

    # Then only its message leaves
    await house.until_state("sent")
    assert len(texts(house)) == 1
    assert texts(house)[0].startswith("again at")
    states = {message.id: message.state for message in house.room.store.messages_of_event("event-1")}
    assert states == {first["MessageId"]: "discarded", second["MessageId"]: "accepted"}


async def test_staged_messages_leave_in_the_order_of_their_publishes(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    for number in range(5):
        await house.call("Publish", attempt(1), TopicArn=topic, Message=f"number {number}")
    await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1))
    await house.until_state("sent", 5)
    order = [house.room.store.message(delivery.message_id) for delivery in house.deliveries()]
    assert [message.body for message in order if message] == [f"number {number}" for number in range(5)]


async def test_discarded_messages_never_leave(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    await house.call("Publish", attempt(1), TopicArn=topic, Message="staged")
    assert await house.database.write(lambda tx: house.room.topics.discard(tx, "event-1", 1)) == 1
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1)) == 0
    assert house.deliveries() == []


async def test_releases_of_one_event_leave_others_alone(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    await house.call("Publish", attempt(1, event="event-1"), TopicArn=topic, Message="one")
    await house.call("Publish", attempt(1, event="event-2"), TopicArn=topic, Message="two")
    await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1))
    await house.until_state("sent")
    assert texts(house) == ["one"]
    await house.database.write(lambda tx: house.room.topics.release(tx, "event-2", 1))
    await house.until_state("sent", 2)
    assert texts(house) == ["one", "two"]


async def test_an_immediate_publish_is_not_repeated_by_a_retry(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    ids = []
    for fence in (1, 2, 3):
        # Given a handler that says the same thing twice, and something of its own
        for text in ("hello", "hello", f"attempt {fence}"):
            given = attempt(fence, staged=False)
            ids.append((await house.call("Publish", given, TopicArn=topic, Message=text))["MessageId"])
    assert ids[0:2] == ids[3:5] == ids[6:8]
    assert len(set(ids)) == 2 + 3
    await house.until_state("sent", 5)
    assert sorted(texts(house)) == ["attempt 1", "attempt 2", "attempt 3", "hello", "hello"]


async def test_what_comes_late_from_an_earlier_attempt_costs_the_present_one_no_message(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)

    async def publish(fence: int) -> str:
        made = await house.call("Publish", attempt(fence, staged=False), TopicArn=topic, Message="the same")
        return str(made["MessageId"])

    # Given an attempt that repeats what the first one has said, and a thread that the first one has left behind
    first = await publish(1)
    assert await publish(2) == first
    assert await publish(1) == first, "it is given up: its retry says it"

    # When the second one says the same once more, then this is a second message
    assert await publish(2) != first
    await house.until_state("sent", 2)


async def test_a_synchronous_invocation_publishes_at_once_and_every_time(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    for _ in range(2):
        synchronous = Attempt("request", "arn", None, 0, False)
        await house.call("Publish", synchronous, TopicArn=topic, Message="hello")
    await house.until_state("sent", 2)
    assert texts(house) == ["hello", "hello"]


async def test_a_batch_is_staged_like_single_messages(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    entries = [{"Id": "a", "Message": "first"}, {"Id": "b", "Message": "second"}]
    answer = await house.call("PublishBatch", attempt(1), TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["a", "b"]
    assert house.deliveries() == []
    await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1))
    await house.until_state("sent", 2)
    assert sorted(texts(house)) == ["first", "second"]


async def test_what_a_running_attempt_has_staged_is_written_with_its_decision(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    house.room.topics.begin("event-1", 1)
    groups = house.database.groups
    made = await house.call("Publish", attempt(1), TopicArn=topic, Message="held")
    entries = [{"Id": "a", "Message": "in a batch"}]
    await house.call("PublishBatch", attempt(1), TopicArn=topic, PublishBatchRequestEntries=entries)

    # Then nothing was committed for it
    assert house.database.groups == groups
    assert house.room.store.messages_of_event("event-1") == []

    # When the attempt decides, then it leaves
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1)) == 2
    await house.until_state("sent", 2)
    assert sorted(texts(house)) == ["held", "in a batch"]
    assert made["MessageId"] in {message.id for message in house.room.store.messages_of_event("event-1")}


async def test_what_was_held_for_an_attempt_that_failed_stays_in_the_story(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    house.room.topics.begin("event-1", 1)
    await house.call("Publish", attempt(1), TopicArn=topic, Message="held")
    assert await house.database.write(lambda tx: house.room.topics.discard(tx, "event-1", 1)) == 1
    house.room.topics.end("event-1", 1)
    house.room.topics.begin("event-1", 2)
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 2)) == 0
    (message,) = house.room.store.messages_of_event("event-1")
    assert (message.body, message.state) == ("held", "discarded")
    assert house.deliveries() == []


@pytest.mark.parametrize("decision", ["release", "discard"])
async def test_a_decision_that_is_taken_back_loses_nothing(open_house: OpenHouse, decision: str) -> None:
    house, topic = await subscribed(open_house)
    await event_of(house, "running", 1)
    house.room.topics.begin("event-1", 1)
    await house.call("Publish", attempt(1), TopicArn=topic, Message="held")

    def job(tx: Tx) -> None:
        getattr(house.room.topics, decision)(tx, "event-1", 1)
        # What comes in between finds no attempt that runs
        assert house.room.topics.stage([Message(topic, "between")], attempt(1)) is None
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError):
        await house.database.write(job)
    await house.database.write(lambda tx: house.room.topics.publish(tx, Message(topic, "between"), attempt(1)))
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1)) == 2
    await house.until_state("sent", 2)
    assert texts(house) == ["held", "between"]


async def test_an_attempt_that_publishes_very_much_stages_the_rest_in_rows(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    await event_of(house, "running", 1)
    house.room.topics.begin("event-1", 1)
    wanted = [f"number {number}" for number in range(MOST_MESSAGES + 3)]
    for text in wanted:
        await house.call("Publish", attempt(1), TopicArn=topic, Message=text)
    in_rows = house.room.store.messages_of_event("event-1")
    assert {message.body: message.ordinal for message in in_rows} == {
        text: number for number, text in enumerate(wanted) if number >= MOST_MESSAGES
    }
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1)) == len(wanted)
    left = house.room.store.deliveries(limit=len(wanted))
    assert [row["body"] for row in reversed(left)] == wanted


async def test_a_batch_is_held_whole_or_not_at_all(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    await event_of(house, "running", 1)
    house.room.topics.begin("event-1", 1)
    for number in range(MOST_MESSAGES - 2):
        await house.call("Publish", attempt(1), TopicArn=topic, Message=f"number {number}")
    entries = [{"Id": str(number), "Message": f"of the batch {number}"} for number in range(5)]

    # When the disk refuses what is not held, and the client asks again, as it does by itself
    with refusing(house, InsufficientStorage()), pytest.raises(InsufficientStorage):
        await house.call("PublishBatch", attempt(1), TopicArn=topic, PublishBatchRequestEntries=entries)
    await house.call("PublishBatch", attempt(1), TopicArn=topic, PublishBatchRequestEntries=entries)

    # Then nobody is told anything twice
    released = await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1))
    assert released == MOST_MESSAGES - 2 + len(entries)


async def test_what_is_small_does_not_overtake_what_was_too_much_to_be_held(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    await event_of(house, "running", 1)
    house.room.topics.begin("event-1", 1)
    large = MOST_BYTES // 5 + 1
    wanted = ["first", *(chr(ord("a") + number) * large for number in range(5)), "last"]
    for text in wanted:
        await house.call("Publish", attempt(1), TopicArn=topic, Message=text)
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1)) == len(wanted)
    left = [row["body"] for row in reversed(house.room.store.deliveries(limit=len(wanted)))]
    assert [text[:5] for text in left] == [text[:5] for text in wanted]


@contextmanager
def refusing(house: House, error: Exception) -> Iterator[None]:
    """The next job of the store ends with `error`."""

    async def refuse(job: object) -> None:
        raise error

    given = house.database.write
    house.database.write = refuse  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        house.database.write = given  # type: ignore[method-assign]


async def test_what_no_row_could_hold_is_refused_when_it_is_published(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    house.room.topics.begin("event-1", 1)
    for message in (Message(topic, chr(0xD800)), Message(topic, "x", attributes={"a": {"Value": chr(0xD800)}})):
        with pytest.raises(UnicodeEncodeError):
            house.room.topics.stage([message], attempt(1))
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 1)) == 0


async def test_what_a_crash_has_left_of_an_earlier_attempt_is_dropped_by_one_that_is_held(
    open_house: OpenHouse,
) -> None:
    house, topic = await subscribed(open_house)
    await event_of(house, "running", 1)
    left = await house.call("Publish", attempt(1), TopicArn=topic, Message="cut off")
    house.room.topics.begin("event-1", 2)
    held = await house.call("Publish", attempt(2), TopicArn=topic, Message="held")
    assert await house.database.write(lambda tx: house.room.topics.release(tx, "event-1", 2)) == 1
    states = {message.id: message.state for message in house.room.store.messages_of_event("event-1")}
    assert states == {left["MessageId"]: "discarded", held["MessageId"]: "accepted"}


async def test_what_is_said_after_an_attempt_has_ended_is_not_held(open_house: OpenHouse) -> None:
    house, topic = await subscribed(open_house)
    await event_of(house, "pending", 1)
    house.room.topics.begin("event-1", 1)
    house.room.topics.end("event-1", 1)
    await house.call("Publish", attempt(1), TopicArn=topic, Message="late")
    (message,) = house.room.store.messages_of_event("event-1")
    assert message.state == "discarded"


async def event_of(house: House, state: str, fence: int) -> None:
    """An event in the journal, in a state under a fence."""

    def job(tx: Tx) -> None:
        journal.accept(tx, journal.NewEvent("event-1", "f", b"{}", {}, accepted=0.0, expires=1e12))
        for _ in range(fence):
            tx.run("journal.recover")
            tx.run("journal.lease", seq=1)
        if state == "pending":
            tx.run("journal.recover")
        elif state != "running":
            tx.run(
                "journal.finish",
                id="event-1",
                fence=fence,
                state=state,
                attempted=1,
                now=1.0,
                error=None,
                result=None,
            )

    await house.database.write(job)


@pytest.mark.parametrize(
    ("state", "fence", "becomes"),
    [
        ("running", 2, "staged"),
        ("running", 3, "discarded"),  # a zombie of the second attempt, while the third runs
        ("pending", 2, "discarded"),  # the attempt failed meanwhile
        ("succeeded", 2, "accepted"),  # the attempt decided while its publish was on the way
        ("dead", 2, "accepted"),
        ("succeeded", 3, "discarded"),
    ],
)
async def test_a_late_publish_shares_the_fate_of_its_attempt(
    open_house: OpenHouse, state: str, fence: int, becomes: str
) -> None:
    house, topic = await subscribed(open_house)
    await event_of(house, state, fence)
    await house.call("Publish", attempt(2), TopicArn=topic, Message="late")
    (message,) = house.room.store.messages_of_event("event-1")
    assert message.state == becomes
    if becomes == "accepted":
        await house.until_state("sent")
        assert texts(house) == ["late"]
    else:
        assert house.deliveries() == []
