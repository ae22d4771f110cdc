"""What is kept of topics and subscriptions is what the job sees, or what is committed: never what was taken back."""

from __future__ import annotations

from typing import Any

import pytest

from alight.notifications.definitions import Definitions
from alight.notifications.message import SUBSCRIPTION, TOPIC, Protocol, Subscription, SubscriptionState, Topic
from alight.store.database import Tx
from alight.store.outbox import OutboxStore
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import receiver
from tests.unit.notifications.test_outbox import known_webhook, publish

TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:birds"


def one(name: str, state: SubscriptionState = SubscriptionState.CONFIRMED) -> Subscription:
    arn = f"{TOPIC_ARN}:{name}"
    return Subscription(arn, TOPIC_ARN, Protocol.SQS, "arn:aws:sqs:us-east-1:000000000000:q", "", "", state)


async def test_a_job_sees_who_has_subscribed_so_far(open_house: OpenHouse) -> None:
    house = await open_house(start=False)
    definitions, records = Definitions(house.records), house.records

    def names(tx: Tx) -> list[str]:
        return [each.arn.rpartition(":")[2] for each in definitions.subscribers(tx, TOPIC_ARN)]

    def put(tx: Tx, subscription: Subscription) -> list[str]:
        records.put(tx, SUBSCRIPTION, subscription.arn, subscription.body())
        return names(tx)

    def taken_back(tx: Tx) -> None:
        assert put(tx, one("b")) == ["a", "b"]
        raise LookupError

    assert await house.database.write(names) == []
    assert await house.database.write(lambda tx: put(tx, one("a"))) == ["a"]
    with pytest.raises(LookupError):
        await house.database.write(taken_back)
    assert await house.database.write(names) == ["a"]
    assert await house.database.write(lambda tx: put(tx, one("c", SubscriptionState.PENDING))) == ["a"]
    assert await house.database.write(lambda tx: put(tx, one("c"))) == ["a", "c"]
    assert await house.database.write(lambda tx: put(tx, one("a", SubscriptionState.DELETED))) == ["c"]
    await house.database.write(lambda tx: records.delete(tx, SUBSCRIPTION, one("c").arn))
    assert await house.database.write(names) == []


async def test_what_is_committed_is_read_once(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await open_house(start=False)
    definitions, records = Definitions(house.records), house.records
    assert (definitions.topic(TOPIC_ARN), definitions.subscription(one("a").arn)) == (None, None)
    await records.save(TOPIC, TOPIC_ARN, Topic(TOPIC_ARN).body())
    await records.save(SUBSCRIPTION, one("a").arn, one("a").body())
    first = definitions.topic(TOPIC_ARN), definitions.subscription(one("a").arn)
    assert first == (Topic(TOPIC_ARN), one("a"))
    assert definitions.topic(TOPIC_ARN) is first[0]
    assert definitions.subscription(one("a").arn) is first[1]
    await records.save(TOPIC, TOPIC_ARN, Topic(TOPIC_ARN, {"DisplayName": "Birds"}).body())
    await records.remove(SUBSCRIPTION, one("a").arn)
    changed = definitions.topic(TOPIC_ARN)
    assert changed is not None
    assert (changed.display_name, definitions.subscription(one("a").arn)) == ("Birds", None)


async def test_what_begins_at_once_is_not_read_from_the_disk(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_house()
    async with receiver() as got:
        topic = await house.topic()
        await known_webhook(house, topic, got.url)
        await house.until_state("sent")  # the confirmation; nothing is left behind
        await _settled(house)
        asked: list[str] = []
        monkeypatch.setattr(OutboxStore, "message", lambda store, message_id: asked.append(message_id))
        message_id = await publish(house, topic)
        await house.until(lambda: len(got.requests) == 2)
        assert (got.requests[1].headers["x-amz-sns-message-id"], asked) == (message_id, [])
        await house.until_state("sent", 2)


async def _settled(house: House) -> None:
    """Until new deliveries need not queue up."""
    outbox: Any = house.room.outbox
    await house.until(lambda: outbox._keeps_up and outbox._lanes.busy == 0)
