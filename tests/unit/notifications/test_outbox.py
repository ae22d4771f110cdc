"""The delivery loop: interrupted, held, isolated, recorded."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from aiohttp import web

from alight.clock import ManualClock, SystemClock
from alight.errors.store import InsufficientStorage
from alight.notifications.message import Message
from alight.notifications.policy import HTTP_PHASES
from alight.notifications.topics import READY
from alight.store.database import Database
from alight.store.outbox import OutboxStore
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import receiver, with_status
from tests.unit.notifications.room import Gateways
from tests.unit.notifications.test_signing import verify

QUEUE = "arn:aws:sqs:us-east-1:000000000000:sightings"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:teller"


async def known_webhook(house: House, topic: str, url: str, **attributes: str) -> str:
    """A subscription that was confirmed, without asking its receiver."""
    arn = await house.subscribe(topic, "http", url, **attributes)
    record = house.records.get("sns:subscription", arn)
    assert record is not None
    await house.records.save("sns:subscription", arn, record.body | {"State": "confirmed", "Token": ""})
    return arn


def _as_many(items: list[Any], count: int) -> bool:
    return len(items) == count


def _arrived(house: House, message_id: str) -> bool:
    """Whether its one delivery was sent. (A subscription is asked to confirm, too: that is another message.)"""
    return [row.state for row in house.room.store.deliveries_of(message_id)] == ["sent"]


def _sent(house: House, count: int) -> bool:
    return len(house.deliveries("sent")) == count


async def publish(house: House, topic: str, text: str = "hello") -> str:
    return str((await house.call("Publish", TopicArn=topic, Message=text))["MessageId"])


async def test_what_a_crash_interrupted_is_sent_again_with_the_same_id_and_flagged(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    async with receiver() as got:
        # Given a process that died between the lease and the record of the answer
        first = await open_house(start=False)
        topic = await first.topic()
        await known_webhook(first, topic, got.url)
        await first.database.write(lambda tx: None)
        message_id = await publish(first, topic)
        rows = first.deliveries("ready")
        await first.database.write(lambda tx: [first.room.store.lease(tx, row.id, 0.0) for row in rows])
        assert len(first.deliveries("sending")) == len(rows) == 2  # the confirmation, and the message
        await first.close()

        # When the folder is opened again
        second = await open_house()
        await second.until_state("sent", 2)

        # Then all was sent, with its own id, and says that it may have arrived before
        assert second.room.outbox.recovered == 2
        assert message_id in {request.headers["x-amz-sns-message-id"] for request in got.requests}
        assert all(delivery.uncertain and delivery.attempts == 1 for delivery in second.deliveries("sent"))
        assert second.room.store.counts()["uncertain"] == 2


async def test_what_crashes_interrupt_costs_no_retry(open_house: OpenHouse) -> None:
    """As with events: how often the runtime was killed says nothing of the target."""
    house = await open_house(start=False)
    async with receiver(with_status(500)) as got:
        topic = await house.topic()
        await known_webhook(house, topic, got.url)
        store, (asked,) = house.room.store, house.deliveries()
        for _ in range(HTTP_PHASES.retries + 1):
            await house.database.write(lambda tx: store.lease(tx, asked.id, 0.0))
            await house.database.write(lambda tx: store.recover(tx, 0.0, 1e12))
        await house.room.start()
        await house.until(lambda: house.deliveries()[0].last_error)
        assert [(delivery.state, delivery.attempts) for delivery in house.deliveries()] == [("ready", 1)]


async def test_what_stays_in_the_house_is_never_uncertain(open_house: OpenHouse) -> None:
    first = await open_house(start=False)
    topic = await first.topic()
    await first.subscribe(topic, "sqs", QUEUE)
    await publish(first, topic)
    await first.database.write(lambda tx: first.room.store.lease(tx, 1, 0.0))
    await first.close()
    second = await open_house()
    (delivery,) = await second.until_state("sent")
    assert (delivery.uncertain, len(second.queued)) == (False, 1)


async def test_a_late_sender_changes_nothing(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    await publish(house, topic)
    store = house.room.store
    await house.database.write(lambda tx: store.lease(tx, 1, 0.0))
    (late,) = house.deliveries("sending")
    await house.database.write(lambda tx: store.recover(tx, 0.0, 1e12))
    await house.database.write(lambda tx: store.lease(tx, 1, 0.0))
    assert await house.database.write(lambda tx: store.sent(tx, late, 0.0)) is False
    assert await house.database.write(lambda tx: store.bury(tx, late, 0.0, "x", "y", False)) is False
    assert [delivery.state for delivery in house.deliveries()] == ["sending"]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
async def test_mails_and_texts_wait_visibly_until_there_is_a_gateway(open_house: OpenHouse) -> None:
    first = await open_house()
    topic = await first.topic()
    await first.subscribe(topic, "email", "ada@example.org")
    await first.subscribe(topic, "sms", "+49 151 2345678")
    await publish(first, topic)
    held = await first.until_state("held", 2)
    assert {(delivery.protocol, delivery.reason) for delivery in held} == {
        ("email", "no SMTP gateway configured: set ALIGHT_SMTP_URL"),
        ("sms", "no SMS gateway configured: set ALIGHT_SMS_URL"),
    }
    assert all(delivery.attempts == 0 for delivery in held)
    await first.close()

    # A gateway for texts appears: they leave, mails go on waiting.
    async with receiver() as got:
        second = await open_house(Gateways(sms_url=f"json://127.0.0.1:{got.port}/{{phone}}"))
        (sent,) = await second.until_state("sent")
        assert (sent.protocol, len(got.requests)) == ("sms", 1)
        assert [delivery.protocol for delivery in second.deliveries("held")] == ["email"]


async def test_a_dead_target_does_not_slow_the_others(open_house: OpenHouse) -> None:
    hanging = asyncio.Event()

    async def hang(request: web.Request, number: int) -> web.StreamResponse:
        await hanging.wait()
        return web.Response()

    house = await open_house()
    async with receiver(hang) as dead, receiver() as well:
        black, white = await house.topic("black"), await house.topic("white")
        # Given many messages for a target that never answers
        await known_webhook(house, black, dead.url)
        await house.database.write(
            lambda tx: [house.room.topics.publish(tx, Message(black, f"lost {number}")) for number in range(300)]
        )
        await house.until(lambda: dead.requests)
        # When others are told something
        for number in range(30):
            await known_webhook(house, white, f"{well.url}/{number}")
        await publish(house, white)
        # Then they hear it while the dead one holds one place
        await house.until(lambda: sum('"hello"' in request.body for request in well.requests) == 30, 10)
        assert len(dead.requests) <= 2
        hanging.set()


async def test_a_function_gets_the_event_of_sns(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    arn = await house.subscribe(topic, "lambda", FUNCTION)
    await house.call(
        "Publish",
        TopicArn=topic,
        Message="hello",
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "bird"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    await house.until(lambda: house.invoked)
    ((function, payload, source),) = house.invoked
    (record,) = json.loads(payload)["Records"]
    assert (function, source) == (FUNCTION, topic)
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == arn
    assert record["Sns"]["Subject"] is None
    assert record["Sns"]["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "bird"},
        "raw": {"Type": "Binary", "Value": "AP8="},
    }


async def test_a_queue_gets_the_envelope_or_the_bare_message_with_its_attributes(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    await house.subscribe(topic, "sqs", QUEUE + "-raw", RawMessageDelivery="true")
    attributes: dict[str, Any] = {
        "kind": {"DataType": "String", "StringValue": "bird"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    await house.call("Publish", TopicArn=topic, Message="hello", MessageAttributes=attributes)
    await house.until_state("sent", 2)
    wrapped, raw = sorted(house.queued, key=lambda item: item[0])
    assert (json.loads(wrapped[1])["Message"], wrapped[2]) == ("hello", {})
    assert raw[1:] == ("hello", attributes)


@pytest.mark.parametrize(
    ("protocol", "target"),
    [
        ("sqs", "arn:aws:sqs:us-east-1:000000000000:gone"),
        ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:gone"),
    ],
)
async def test_a_target_that_is_gone_is_a_dead_letter_at_once(
    open_house: OpenHouse, protocol: str, target: str
) -> None:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, protocol, target)
    await publish(house, topic)
    (delivery,) = await house.until_state("dead")
    assert (delivery.attempts, delivery.reason) == (1, "ClientError")
    assert "no such" in delivery.last_error


async def test_who_unsubscribed_meanwhile_is_left_alone(open_house: OpenHouse) -> None:
    first = await open_house(start=False)
    topic = await first.topic()
    arn = await first.subscribe(topic, "sqs", QUEUE)
    await publish(first, topic)
    await first.call("Unsubscribe", SubscriptionArn=arn)
    await first.room.start()
    (delivery,) = await first.until_state("dead")
    assert (delivery.last_error, first.queued) == ("the subscription was removed", [])


async def test_one_text_for_each_protocol(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    await house.subscribe(topic, "lambda", FUNCTION)
    texts = {"default": "for all", "sqs": "for queues", "lambda": 5}
    await house.call("Publish", TopicArn=topic, Message=json.dumps(texts), MessageStructure="json")
    await house.until_state("sent", 2)
    queue, function = json.loads(house.queued[0][1]), json.loads(house.invoked[0][1])["Records"][0]["Sns"]
    assert (queue["Message"], function["Message"]) == ("for queues", "for all")
    for got in (queue, function):
        verify({name: value for name, value in got.items() if value is not None}, house.room.signer.certificate)


async def test_filters_decide_who_hears_what(open_house: OpenHouse) -> None:
    house = await open_house()
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE, FilterPolicy='{"kind": ["bird"]}')
    body_policy = {"FilterPolicy": '{"kind": ["bird"]}', "FilterPolicyScope": "MessageBody"}
    await house.subscribe(topic, "sqs", QUEUE + "-body", **body_policy)
    kind = {"kind": {"DataType": "String", "StringValue": "bird"}}
    await house.call("Publish", TopicArn=topic, Message="by attribute", MessageAttributes=kind)
    await house.call("Publish", TopicArn=topic, Message='{"kind": "bird"}')
    await house.call("Publish", TopicArn=topic, Message="for nobody")
    await house.until_state("sent", 2)
    heard = sorted((arn, json.loads(body)["Message"]) for arn, body, _ in house.queued)
    assert heard == [(QUEUE, "by attribute"), (QUEUE + "-body", '{"kind": "bird"}')]
    assert len(house.deliveries()) == 2


async def test_a_retry_waits_for_its_time(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock, start=False)
    async with receiver(with_status(500)) as got:
        topic = await house.topic()
        await known_webhook(house, topic, got.url)
        await house.room.start()
        (asked,) = house.deliveries()
        for number in (1, 2, 3, 4):
            await house.until(partial(_as_many, got.requests, number))
            await house.until(lambda: house.deliveries()[0].state in ("ready", "dead"))
            assert len(got.requests) == number
            clock.advance(23)
        delivery = house.room.store.delivery(asked.id)
        assert delivery is not None
        assert (delivery.state, delivery.attempts) == ("dead", 4)


async def test_a_clock_that_was_set_back_freezes_nothing(open_house: OpenHouse) -> None:
    ahead = ManualClock(2_000_000_000.0)
    first = await open_house(clock=ahead, start=False)
    topic = await first.topic()
    await first.subscribe(topic, "sqs", QUEUE)
    await publish(first, topic)
    await first.close()
    clock = ManualClock(1_700_000_000.0)
    second = await open_house(clock=clock)
    (waiting,) = second.deliveries("ready")
    assert waiting.not_before - clock.now() <= 7_200
    clock.advance(7_200)
    await second.until_state("sent")


async def test_throttled_webhooks_get_no_more_than_they_asked_for(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock, start=False)
    async with receiver() as got:
        topic = await house.topic()
        throttle = json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 2}})
        await known_webhook(house, topic, got.url, DeliveryPolicy=throttle)
        for number in range(3):
            await publish(house, topic, f"number {number}")
        await house.room.start()
        for count in (1, 2, 3, 4):
            await house.until(partial(_sent, house, count))
            assert len(got.requests) == count
            clock.advance(0.5)


async def test_what_was_sent_long_ago_is_forgotten_and_the_dead_are_not(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock)
    topic = await house.topic()
    await house.subscribe(topic, "sqs", QUEUE)
    await house.subscribe(topic, "lambda", FUNCTION.replace("teller", "gone"))
    message_id = await publish(house, topic)
    await house.until_state("sent")
    await house.until_state("dead")
    clock.advance(31 * 24 * 3600)
    house.room.outbox.wake()
    await house.until(lambda: not house.deliveries("sent"))
    assert len(house.deliveries("dead")) == 1
    assert house.room.store.message(message_id) is not None


async def test_a_message_to_nobody_is_accepted(open_house: OpenHouse) -> None:
    house = await open_house()
    message_id = await publish(house, await house.topic())
    message = house.room.store.message(message_id)
    assert message is not None
    assert (message.state, house.deliveries()) == ("accepted", [])


async def test_rows_for_people(tmp_path: Path) -> None:
    database = await Database.open(tmp_path, SystemClock())
    try:
        assert OutboxStore(database).deliveries() == []
        assert OutboxStore(database).counts() == {
            "ready": 0,
            "sending": 0,
            "sent": 0,
            "held": 0,
            "dead": 0,
            "uncertain": 0,
        }
    finally:
        await database.close()


async def test_a_message_that_was_damaged_on_disk_is_never_sent(open_house: OpenHouse, tmp_path: Path) -> None:
    first = await open_house(start=False)
    topic = await first.topic()
    await first.subscribe(topic, "sqs", QUEUE)
    damaged = await publish(first, topic, "for ada")
    await publish(first, topic, "for eve")
    await first.close()
    connection = apsw.Connection(str(tmp_path / "alight.db"))
    connection.execute("UPDATE messages SET body = 'forged' WHERE id = ?", (damaged,))
    connection.close()
    second = await open_house()
    (dead,) = await second.until_state("dead")
    await second.until_state("sent")
    assert (dead.message_id, "damaged" in dead.last_error) == (damaged, True)
    assert [json.loads(body)["Message"] for _, body, _ in second.queued] == ["for eve"]


async def test_one_black_hole_among_many_targets(open_house: OpenHouse) -> None:
    """F13: everybody else hears the message while the dead target is still being waited for."""
    hanging = asyncio.Event()

    async def hang(request: web.Request, number: int) -> web.StreamResponse:
        await hanging.wait()
        return web.Response()

    house = await open_house(start=False)
    async with receiver(hang) as dead, receiver() as well:
        topic = await house.topic()
        await known_webhook(house, topic, dead.url)
        for number in range(99):
            await known_webhook(house, topic, f"{well.url}/{number}")
        message_id = await publish(house, topic)
        await house.room.start()
        store = house.room.store

        def heard() -> int:
            return sum(delivery.state == "sent" for delivery in store.deliveries_of(message_id))

        await house.until(lambda: heard() == 99)
        assert [row.state for row in store.deliveries_of(message_id) if row.target == dead.url] != ["sent"]
        hanging.set()


@pytest.mark.parametrize("holes", [64, 300])
async def test_black_holes_do_not_hold_all_places(open_house: OpenHouse, holes: int) -> None:
    """64 of them, and a target that nobody knows yet; 300, and one that is known to answer: it is told at once."""
    hanging = asyncio.Event()

    async def hang(request: web.Request, number: int) -> web.StreamResponse:
        await hanging.wait()
        return web.Response()

    house = await open_house()
    house.room.webhooks._deadline = 600.0  # longer than a slow machine takes to begin with all of them
    async with receiver(hang) as dead, receiver() as well:
        black, white = await house.topic("black"), await house.topic("white")
        await known_webhook(house, white, well.url)
        if holes > 64:
            known = await publish(house, white, "to be known")
            await house.until(partial(_arrived, house, known))
        for number in range(holes):
            await known_webhook(house, black, f"{dead.url}/{number}")
        await publish(house, black, "swallowed")
        store = house.room.store
        await house.until(lambda: store.counts()["sending"] == min(holes, 192), 60)
        began = asyncio.get_running_loop().time()
        message_id = await publish(house, white, "told at once")
        await house.until(partial(_arrived, house, message_id))
        took, waiting = asyncio.get_running_loop().time() - began, store.counts()["sending"]
        print(f"\n{holes} black holes, {waiting} under way: the good target was told after {took:.3f} s")
        assert waiting >= min(holes, 192), "none of them has given its place back for it"
        hanging.set()


async def test_a_disk_that_is_full_at_the_start_is_waited_for(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock, start=False)
    write, refused = house.database.write, list[object]()

    async def full_once(job: Any) -> Any:
        if not refused:
            refused.append(job)
            raise InsufficientStorage
        return await write(job)

    house.database.write = full_once  # type: ignore[method-assign, assignment]
    starting = asyncio.create_task(house.room.start())
    await house.until(lambda: refused)
    await asyncio.sleep(0)
    clock.advance(1)
    await starting


async def test_a_database_that_cannot_be_read_ends_the_loop(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has started it says so, once, and ends the process."""
    house = await open_house(start=False)

    def unreadable(*given: object) -> list[Any]:
        raise apsw.IOError("disk I/O error")

    monkeypatch.setattr(OutboxStore, "due", unreadable)
    sending = await house.room.outbox.start()
    with pytest.raises(apsw.IOError):
        await asyncio.wait_for(sending, 10)
    assert not caplog.records


async def test_a_disk_that_is_full_for_a_moment_stops_nothing_and_sends_nothing_twice(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock)
    topic = await house.topic()
    write = house.database.write
    room, refused = [0], [0]

    async def nearly_full(job: Any, **more: Any) -> Any:
        if room[0] == 0:
            refused[0] += 1
            raise InsufficientStorage
        room[0] -= 1
        return await write(job, **more)

    async def publish_on(writes: int, text: str) -> None:
        """On a disk that takes so many transactions, the publish itself among them."""
        room[0], refused[0] = writes, 0
        house.database.write = nearly_full  # type: ignore[method-assign]
        await publish(house, topic, text)
        await house.until(lambda: refused[0])
        house.database.write = write  # type: ignore[method-assign]
        await asyncio.sleep(0.02)

    async with receiver() as got:
        await known_webhook(house, topic, got.url)
        await house.until_state("sent", 1)  # the confirmation
        house.room.topics._place = lambda *given: READY
        await publish_on(1, "it had to queue up, and there is no room to mark it as being sent")
        assert len(got.requests) == 1
        house.room.topics._place = house.room.outbox.place
        clock.advance(5)
        await house.until_state("sent", 2)
        await publish_on(1, "no room to record the answer")
        assert len(got.requests) == 3
        clock.advance(1)
        await house.until_state("sent", 3)
        assert len(got.requests) == 3


async def test_a_clock_that_is_set_back_does_not_freeze_a_repeat(open_house: OpenHouse) -> None:
    clock, status = ManualClock(), [200]

    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        return web.Response(status=status[0])

    house = await open_house(clock=clock)
    topic = await house.topic()
    async with receiver(answer) as got:
        await known_webhook(house, topic, got.url)
        await house.until_state("sent", 1)  # the confirmation
        status[0] = 500
        await publish(house, topic)
        await house.until(lambda: [row.last_error for row in house.deliveries("ready")] > [""])
        status[0] = 200
        clock.set_by(-7200.0)
        await asyncio.sleep(0.02)
        clock.advance(25)
        await house.until_state("sent", 2)
