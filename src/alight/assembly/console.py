"""The console over this instance: what its pages may ask and do."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

from alight import __version__
from alight.admin.http import Request
from alight.admin.routes import Admin
from alight.admin.story import Stories
from alight.assembly.doors import Doors
from alight.assembly.store import FUNCTIONS, Store
from alight.assembly.telling import Telling
from alight.assembly.templates import OWNER
from alight.calls import Call, Members
from alight.console.app import Console
from alight.console.entry import Entry
from alight.console.guard import HOME
from alight.console.world import Question, World
from alight.names import REGION, new_request_id
from alight.notifications.envelope import sms_text, text_for
from alight.notifications.message import TOPIC, Kind, Protocol, SubscriptionState, to_topic
from alight.services.lambda_.places import code_of
from alight.settings import masked


def login_link(store: Store, entry: Entry) -> str:
    """A link that lets somebody in, once."""
    return f"{store.address.public()}{HOME}/login?token={entry.link()}"


def presigned(store: Store, bucket: str, key: str, seconds: int) -> str:
    """A link to an object, signed with the owner's key."""
    # Not before somebody asks: nothing else here needs botocore's credentials.
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = f"{store.address.public()}/{bucket}/{quote(key)}"
    request = AWSRequest("GET", url)
    keys = Credentials(store.keys.access_key_id, store.keys.secret_access_key)
    S3SigV4QueryAuth(keys, "s3", REGION, seconds).add_auth(request)
    return str(request.url)


def text_on_phones(store: Store, telling: Telling, message_id: str) -> str:
    """What a phone shows of a message, the topic's display name before it; empty where the message is forgotten."""
    message = telling.rows.message(message_id)
    if message is None:
        return ""
    record = store.records.get(TOPIC, message.topic) if message.topic else None
    return sms_text(message, to_topic(record.body) if record else None)


def text_in_mailboxes(telling: Telling, message_id: str) -> str:
    """What an email says of a message; empty where the message is forgotten."""
    message = telling.rows.message(message_id)
    return text_for(message, Protocol.EMAIL) if message else ""


def question_of(telling: Telling, message_id: str, subscription: str) -> Question:
    """What confirms the subscription (an ARN) that a message asks about, or why it does not."""
    message = telling.rows.message(message_id)
    if message is None or message.kind != Kind.SUBSCRIBE:
        return Question()
    asked = telling.subscriptions.get(subscription)
    if asked is None:
        return Question(why="This subscription has ended.")
    if asked.state is SubscriptionState.CONFIRMED:
        return Question(why="This subscription is confirmed.")
    if not telling.subscriptions.is_confirmed_by(asked, message.token):
        return Question(why="This mail is too old, or a newer one asks the same: subscribe again to get another.")
    return Question(message.token)


def build_console(
    store: Store, telling: Telling, doors: Doors, admin: Admin, stories: Stories, entry: Entry, exits: AsyncExitStack
) -> Console:
    """The pages; their process and their streams end with `exits`."""
    catalogue = admin.catalogue

    async def call(service: str, operation: str, given: Members) -> Members:
        made = Call(service, operation, new_request_id(), OWNER, base_url=store.address.local())
        return await doors.operations[service, operation](made, given)

    async def ask(what: str, body: Any) -> Any:
        """The admin door's answers: what the command line shows."""
        path = {"id": str(body["id"])} if "id" in body else {}
        handlers = {
            "status": admin.status,
            "books": admin.books,
            "models": admin.models,
            "events/redrive": admin.events.redrive,
            "events/replay-one": admin.events.replay,
            "outbox/redrive": admin.redrive,
            "verify": admin.keeping.verify,
            "backup": admin.keeping.back_up,
        }
        return await handlers[what](Request(path, {}, body))

    console = Console(
        World(
            clock=store.clock,
            database=store.database,
            objects=store.objects,
            records=store.records,
            telemetry=store.telemetry,
            outbox=telling.rows,
            waits=telling.outbox.waits,
            entry=entry,
            call=call,
            explain=stories.explain,
            show=stories.show,
            ask=ask,
            labels=doors.labels,
            role_may=doors.role_may,
            code_of=lambda name: code_of(catalogue.body(name)["Code"], store.settings.data / FUNCTIONS)[0],
            presigned=lambda bucket, key, seconds: presigned(store, bucket, key, seconds),
            text_on_phones=lambda id: text_on_phones(store, telling, id),
            text_in_mailboxes=lambda id: text_in_mailboxes(telling, id),
            question_of=lambda id, subscription: question_of(telling, id, subscription),
            tell_again=admin.replay.again,
            settings=lambda: masked(store.settings),
            data=store.settings.data,
            base_url=store.address.public,
            version=__version__,
            read_only=store.settings.console_read_only,
        )
    )
    exits.push_async_callback(console.close)
    return console
