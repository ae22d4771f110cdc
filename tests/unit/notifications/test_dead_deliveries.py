"""Every delivery that fails for good is visible: a dead letter with its reason, its attempts, what it was to say, and
its place in the story. One table of all ways to fail, as `tests/unit/events/test_dead_letters.py` has it for events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from alight.admin.story import Stories
from alight.calls import Attempt
from alight.clock import SystemClock
from alight.notifications.message import SUBSCRIPTION, SubscriptionState
from alight.store import journal
from alight.store.journal import NewEvent
from alight.store.telemetry import Telemetry
from tests.unit.notifications.authority import Authority
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import Answer, receiver, with_status
from tests.unit.notifications.room import Gateways
from tests.unit.notifications.test_email import AnyPort, Mailbox

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:teller"
QUEUES = "arn:aws:sqs:us-east-1:000000000000"
#: Too long for a text, and for nothing else.
MESSAGE = "x" * 1601


@dataclass(frozen=True)
class Dead:
    """What people read of it. `says` is how its last error begins."""

    reason: str
    says: str
    attempts: int = 1
    uncertain: bool = False


def refused(says: str) -> Dead:
    return Dead("ClientError", says)


def given_up(says: str, attempts: int = 2, *, uncertain: bool = False) -> Dead:
    return Dead("RetriesExhausted", says, attempts, uncertain)


def policy(dead: Dead) -> str:
    """A retry at once; none for what is given up after one attempt."""
    retries = 0 if dead == given_up(dead.says, 1, uncertain=dead.uncertain) else 1
    phases = {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": retries, "numNoDelayRetries": retries}
    return json.dumps({"healthyRetryPolicy": phases})


async def cut(request: web.Request, number: int) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def silent(request: web.Request, number: int) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


#: Webhooks by what they answer.
ANSWERS: list[tuple[Answer, Dead]] = [
    (with_status(404), refused("HTTP 404")),
    (with_status(302), refused("HTTP 302 (redirects are not followed)")),
    (with_status(500), given_up("HTTP 500")),
    (cut, given_up("connection lost: ", uncertain=True)),
    (silent, given_up("no answer within 1 s", 1, uncertain=True)),
]

#: By protocol and target.
TARGETS = [
    ("http", "http://nowhere.example/", given_up("nowhere.example cannot be resolved: ")),
    ("http", "http://empty.example/", given_up("empty.example has no address")),
    ("http", "http://inside.example/", refused("10.0.0.1 is a private address")),
    ("sqs", f"{QUEUES}:gone", refused("ValidationError: no such queue")),
    ("lambda", f"{FUNCTION}:gone", refused("ValidationError: no such function")),
    ("sms", "+4915123456789", refused("longer than 1600 letters")),
    ("email", "nobody@example.org", refused("SMTP 550: ")),
    ("sqs", f"{QUEUES}:removed", refused("the subscription was removed")),
    ("sqs", f"{QUEUES}:left", refused("the subscriber unsubscribed")),
]


async def look_up(host: str, port: int) -> list[str]:
    if host == "nowhere.example":
        raise OSError(-2, "Name or service not known")
    return ["10.0.0.1"] if host == "inside.example" else []


@asynccontextmanager
async def targets(folder: Path) -> AsyncIterator[list[tuple[str, str, Dead]]]:
    """Protocol, target and end of each."""
    async with AsyncExitStack() as stack:
        found = list(TARGETS)
        for answer, end in ANSWERS:
            got = await stack.enter_async_context(receiver(answer))
            found.append(("http", got.url, end))
        async with receiver() as closed:
            found.append(("http", closed.url, given_up("cannot connect: ")))
        strange = await stack.enter_async_context(receiver(ssl_context=Authority().server(folder, "127.0.0.1")))
        found.append(("https", strange.url, refused("certificate refused: ")))
        yield found


async def subscribe(house: House, topic: str, protocol: str, target: str, dead: Dead) -> str:
    """A subscription that was confirmed, without asking its owner."""
    attributes = {"DeliveryPolicy": policy(dead)} if protocol == "http" else {}
    arn = await house.subscribe(topic, protocol, target, **attributes)
    record = house.records.get(SUBSCRIPTION, arn)
    assert record is not None
    await house.records.save(SUBSCRIPTION, arn, record.body | {"State": SubscriptionState.CONFIRMED, "Token": ""})
    return arn


async def end(house: House, arn: str) -> None:
    """Of those that were subscribed when the message was published, and are not any more."""
    record = house.records.get(SUBSCRIPTION, arn)
    assert record is not None
    if record.body["Endpoint"].endswith(":removed"):
        await house.call("Unsubscribe", SubscriptionArn=arn)
    elif record.body["Endpoint"].endswith(":left"):
        await house.records.save(SUBSCRIPTION, arn, record.body | {"State": SubscriptionState.DELETED})


async def publish(house: House, topic: str) -> str:
    """On behalf of an event, whose story then tells of it; the message's id."""
    now = house.clock.now()
    await house.database.write(lambda tx: journal.accept(tx, NewEvent("event", FUNCTION, b"{}", {}, now, now + 60)))
    await house.database.write(lambda tx: journal.lease(tx, FUNCTION, 1, now))
    attempt = Attempt("event", FUNCTION, "event", fence=1)
    return str((await house.call("Publish", attempt, TopicArn=topic, Message=MESSAGE))["MessageId"])


async def test_every_end_but_sent_is_a_dead_letter_with_reason_attempts_message_and_story(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    controller = AnyPort(Mailbox(recipient=["550 no such user"] * 9), hostname="127.0.0.1", port=0)
    controller.start()
    try:
        async with targets(tmp_path) as ways:
            gateways = Gateways(
                smtp_url=f"smtp://127.0.0.1:{controller.port}",
                sms_url="json://127.0.0.1:1",
                webhook_allow=["127.0.0.1"],
            )
            house = await open_house(gateways, start=False)
            house.room.gate._lookup = look_up
            house.room.webhooks._deadline = 1.0
            topic = await house.topic()
            arns = [await subscribe(house, topic, *way) for way in ways]
            message = await publish(house, topic)
            for arn in arns:
                await end(house, arn)
            await house.room.start()
            store = house.room.store
            await house.until(lambda: all(one.state == "dead" for one in store.deliveries_of(message)))
    finally:
        controller.stop()
    says = {target: dead.says for _, target, dead in ways}
    shown = {
        row["target"]: Dead(row["reason"], _begun(row["last_error"], says), row["attempts"], bool(row["uncertain"]))
        for row in store.deliveries("dead")
        if (row["message_id"], row["body"], row["event_id"]) == (message, MESSAGE, "event")
    }
    assert shown == {target: dead for _, target, dead in ways}
    telemetry = await Telemetry.open(tmp_path, SystemClock())
    try:
        story = await Stories(house.database, store, telemetry).explain("event")
    finally:
        await telemetry.close()
    told = {row["target"]: row for row in story["messages"]}
    assert {row["state"] for row in told.values()} == {"dead"}
    assert {target: _begun(row["last_error"], says) for target, row in told.items()} == says
    assert {target: row["attempts"] for target, row in told.items()} == {
        target: dead.attempts for _, target, dead in ways
    }


def _begun(error: str, known: dict[str, str]) -> str:
    """The beginning that is known of it, or all of it."""
    return next((says for says in known.values() if error.startswith(says)), error)
