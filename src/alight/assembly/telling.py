"""Topics and the way out: which channels there are, and what is held because one is missing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from alight.assembly.store import Store
from alight.notifications.ahead import Ahead
from alight.notifications.channels.addresses import Gate
from alight.notifications.channels.email import HELD as EMAIL_HELD
from alight.notifications.channels.email import EmailChannel, read_server
from alight.notifications.channels.function import FunctionChannel
from alight.notifications.channels.http import HttpChannel
from alight.notifications.channels.queue import QueueChannel
from alight.notifications.channels.sms import SmsChannel, held_reason
from alight.notifications.deadletters import DeadLetters
from alight.notifications.envelope import Envelopes
from alight.notifications.measuring import measure_with
from alight.notifications.message import Protocol
from alight.notifications.outbox import Outbox
from alight.notifications.outgoing import Channel
from alight.notifications.signing import Signer, load_signer
from alight.notifications.subscriptions import Subscriptions
from alight.notifications.topics import Topics
from alight.services.resource_policies import ResourcePolicies
from alight.services.sqs import Sqs
from alight.services.targets import Targets
from alight.services.topic_queues import from_topics
from alight.store.outbox import OutboxStore


@dataclass(frozen=True, slots=True)
class Telling:
    """Topics and the way out."""

    topics: Topics
    subscriptions: Subscriptions
    rows: OutboxStore
    outbox: Outbox
    signer: Signer
    gate: Gate


async def build_telling(
    store: Store, targets: Callable[[], Targets], sqs: Sqs, policies: ResourcePolicies, exits: AsyncExitStack
) -> Telling:
    settings, clock, send_queue = store.settings, store.clock, from_topics(policies, sqs)
    rows = OutboxStore(store.database)
    outbox: Outbox
    measure = measure_with(store.telemetry)
    signer = await load_signer(settings.data)
    envelopes = Envelopes(signer, store.address.public)
    topics = Topics(
        rows,
        store.records,
        clock,
        lambda: outbox.wake(),
        lambda *given: outbox.place(*given),
        measure,
        Ahead(envelopes, store.records),
    )
    gate = Gate(settings.webhook_allow)
    http = HttpChannel(envelopes, gate, clock)
    exits.push_async_callback(http.close)
    channels: dict[Protocol, Channel] = {Protocol.HTTP: http, Protocol.HTTPS: http}
    held: dict[Protocol, str] = {}
    if settings.smtp_url:
        email = EmailChannel(envelopes, read_server(settings.smtp_url), settings.smtp_from)
        channels |= {Protocol.EMAIL: email, Protocol.EMAIL_JSON: email}
    else:
        held |= {Protocol.EMAIL: EMAIL_HELD, Protocol.EMAIL_JSON: EMAIL_HELD}
    if reason := held_reason(settings.sms_url):
        held[Protocol.SMS] = reason
    else:
        channels[Protocol.SMS] = sms = SmsChannel(settings.sms_url)
        exits.callback(sms.close)
    outbox = Outbox(
        store.database,
        rows,
        store.records,
        clock,
        channels=channels,
        local={
            Protocol.LAMBDA: FunctionChannel(envelopes, lambda *given: targets().invoke_from_topic(*given)),
            Protocol.SQS: QueueChannel(envelopes, send_queue),
        },
        held=held,
        dead_letters=DeadLetters(envelopes, send_queue),
        keep_seconds=settings.retention_days * 86_400,
        measure=measure,
    )
    subscriptions = Subscriptions(store.database, store.records, topics, clock)
    return Telling(topics, subscriptions, rows, outbox, signer, gate)
