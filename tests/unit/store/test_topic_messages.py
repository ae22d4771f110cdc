"""A topic's messages: page by page, none twice, and found by their index among any number of others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from alight.store.connections import open_writer
from alight.store.database import Database
from alight.store.migrations import MIGRATIONS, migrate
from alight.store.outbox import OutboxStore, StoredMessage
from alight.store.rows import Tx
from alight.store.statements import load_statements


def message(number: int, topic: str, state: str = "accepted", kind: str = "Notification") -> StoredMessage:
    return StoredMessage(
        f"m{number}", kind, topic, "", None, f"text {number}", "", {}, "", None, 0, number, None, state,
        # Seven at a time have one moment, as those of a batch.
        float(number // 7), None,
    )  # fmt: skip


async def test_pages_of_a_topic_hold_each_message_once(database: Database) -> None:
    outbox = OutboxStore(database)

    def job(tx: Tx) -> None:
        for number in range(40):
            outbox.add_message(tx, message(number, "mine" if number % 2 else "other"))
        outbox.add_message(tx, message(98, "mine", state="staged"))
        outbox.add_message(tx, message(99, "mine", kind="SubscriptionConfirmation"))
        for target in ("a", "b"):
            outbox.add_delivery(tx, "m39", subscription="", protocol="sms", target=target, raw=False, now=1.0)

    await database.write(job)
    seen, before = [], None
    while page := outbox.messages_of_topic("mine", before, 3):
        seen += page
        before = (page[-1]["published"], page[-1]["id"])
    assert sorted(row["id"] for row in seen) == sorted(f"m{number}" for number in range(1, 40, 2))
    assert [row["published"] for row in seen] == sorted((row["published"] for row in seen), reverse=True)
    assert {row["id"]: row["deliveries"] for row in seen if row["deliveries"]} == {"m39": {"ready": 2}}


async def test_a_text_for_each_protocol_is_shown_as_each_gets_it(database: Database) -> None:
    outbox = OutboxStore(database)
    texts = json.dumps({"default": "for all", "sms": "for phones", "email": 1})

    def job(tx: Tx) -> None:
        for id, body in (("m1", texts), ("m2", "{torn")):
            told = replace(message(1, "mine"), id=id, structure="json", body=body, event_id="event", ordinal=int(id[1]))
            outbox.add_message(tx, told)
            for protocol in ("sms", "email"):
                outbox.add_delivery(tx, id, subscription="", protocol=protocol, target="one", raw=False, now=1.0)

    await database.write(job)
    shown = {(row["message_id"], row["protocol"]): row["body"] for row in outbox.deliveries()}
    assert (shown["m1", "sms"], shown["m1", "email"]) == ("for phones", "for all")
    # What the disk has damaged is shown as it is, and takes nothing from the others.
    assert shown["m2", "sms"] == "{torn"
    assert {row["id"]: row["body"] for row in outbox.messages_of_topic("mine", None, 9)} == {
        "m1": "for all", "m2": "{torn",
    }  # fmt: skip
    # In the brief of an event, as the first who is told gets it.
    assert outbox.told(["event"])["event"].messages == ("for phones", "{torn")


def test_a_quiet_topic_is_found_by_its_index(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "alight.db")
    migrate(connection, MIGRATIONS)
    sql = load_statements()["outbox.messages_of_topic"].sql
    given = {"topic": "t", "published": 1.0, "id": "", "limit": 50}
    plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
    connection.close()
    assert any(step.startswith("SEARCH messages USING INDEX messages_by_topic (topic=?") for step in plan), plan
    assert not [step for step in plan if "ORDER BY" in step or step.startswith("SCAN messages")]
