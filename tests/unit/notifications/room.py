"""Builds the room for tests, in the order in which its parts need each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.clock import Clock
from alight.notifications.ahead import Ahead
from alight.notifications.channels import email, sms
from alight.notifications.channels.addresses import Gate
from alight.notifications.channels.function import FunctionChannel
from alight.notifications.channels.http import HttpChannel
from alight.notifications.channels.queue import QueueChannel
from alight.notifications.deadletters import DeadLetters
from alight.notifications.envelope import Envelopes
from alight.notifications.message import Protocol
from alight.notifications.outbox import Outbox
from alight.notifications.outgoing import Channel, LocalChannel
from alight.notifications.signing import Signer, load_signer
from alight.notifications.subscriptions import Subscriptions
from alight.notifications.topics import Topics
from alight.store.database import Database, Tx
from alight.store.outbox import OutboxStore
from alight.store.records import Records


@dataclass(frozen=True, slots=True)
class Gateways:
    """The settings of the ways out; empty URLs keep emails and texts in the outbox."""

    smtp_url: str = ""
    smtp_from: str = "alight@localhost"
    sms_url: str = ""
    webhook_allow: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Notifications:
    """The room's parts. `start` after everything else is there, `close` before the database."""

    topics: Topics
    subscriptions: Subscriptions
    outbox: Outbox
    store: OutboxStore
    signer: Signer
    gate: Gate
    webhooks: HttpChannel
    channels: dict[Protocol, Channel]

    async def start(self) -> None:
        await self.outbox.start()

    async def close(self) -> None:
        await self.outbox.close()
        await self.webhooks.close()


async def open_notifications(
    database: Database,
    records: Records,
    clock: Clock,
    folder: Path,
    *,
    gateways: Gateways,
    endpoint_url: Callable[[], str],
    send_queue: Callable[[Tx, str, str, Mapping[str, Any], str, str], None],
    invoke_function: Callable[[Tx, str, bytes, str, str], None],
) -> Notifications:
    """`folder` keeps the signing key; `endpoint_url` says how others reach this instance.

    `send_queue(tx, queue ARN, body, message attributes, topic ARN, cause)` and `invoke_function(tx, function ARN,
    payload, topic ARN, cause)` run in the transaction that records the delivery; a missing target is theirs to raise.
    """
    signer = await load_signer(folder)
    envelopes = Envelopes(signer, endpoint_url)
    gate = Gate(gateways.webhook_allow)
    webhooks = HttpChannel(envelopes, gate, clock)
    channels, held = _ways_out(envelopes, gateways)
    channels |= {Protocol.HTTP: webhooks, Protocol.HTTPS: webhooks}
    local: dict[Protocol, LocalChannel] = {
        Protocol.SQS: QueueChannel(envelopes, send_queue),
        Protocol.LAMBDA: FunctionChannel(envelopes, invoke_function),
    }
    store = OutboxStore(database)
    outbox = Outbox(
        database,
        store,
        records,
        clock,
        channels=channels,
        local=local,
        held=held,
        dead_letters=DeadLetters(envelopes, send_queue),
    )
    topics = Topics(store, records, clock, outbox.wake, outbox.place, ahead=Ahead(envelopes, records))
    subscriptions = Subscriptions(database, records, topics, clock)
    return Notifications(topics, subscriptions, outbox, store, signer, gate, webhooks, channels)


def _ways_out(envelopes: Envelopes, gateways: Gateways) -> tuple[dict[Protocol, Channel], dict[Protocol, str]]:
    """The channels for people, and why those that are missing hold their messages."""
    channels: dict[Protocol, Channel] = {}
    held: dict[Protocol, str] = {}
    if gateways.smtp_url:
        mail = email.EmailChannel(envelopes, email.read_server(gateways.smtp_url), gateways.smtp_from)
        channels |= {Protocol.EMAIL: mail, Protocol.EMAIL_JSON: mail}
    else:
        held |= {Protocol.EMAIL: email.HELD, Protocol.EMAIL_JSON: email.HELD}
    reason = sms.held_reason(gateways.sms_url)
    if reason is None:
        channels[Protocol.SMS] = sms.SmsChannel(gateways.sms_url)
    else:
        held[Protocol.SMS] = reason
    return channels, held
