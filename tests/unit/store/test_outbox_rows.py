"""What is handed on as it is written is what its row says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alight.store.database import Database
from alight.store.outbox import Delivery, DeliveryState, OutboxStore, StoredMessage
from alight.store.rows import Tx

STAGED = StoredMessage(
    "m1", "Notification", "topic", "", "A bird", "kingfisher", "", {"size": {"Type": "Number", "Value": "1"}}, "",
    "event", 2, 3, None, "staged", 5.0, None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("state", "reason", "raw"),
    [
        (DeliveryState.READY, "", False),
        (DeliveryState.SENDING, "", True),
        (DeliveryState.HELD, "no gateway", False),
    ],
)
async def test_a_new_delivery_is_what_its_row_says(
    database: Database, state: DeliveryState, reason: str, raw: bool
) -> None:
    outbox = OutboxStore(database)

    def job(tx: Tx) -> list[Delivery]:
        return [
            outbox.add_delivery(
                tx, "m1", subscription="s", protocol="http", target=target, raw=raw, now=7.5, state=state, reason=reason
            )
            for target in ("one", "two")
        ]

    made = await database.write(job)
    assert made == [outbox.delivery(one.id) for one in made]
    assert made[0].id != made[1].id


async def test_what_was_staged_without_a_row_is_accepted_when_it_leaves(database: Database) -> None:
    outbox = OutboxStore(database)
    await database.write(lambda tx: outbox.add_message(tx, STAGED, leaves=9.0))
    assert outbox.message("m1") == replace(STAGED, state="accepted", accepted=9.0)
