"""The console over this instance: what its pages may ask and do."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from alight import __version__
from alight.admin.http import Request
from alight.admin.routes import Admin
from alight.admin.story import Stories
from alight.assembly.doors import Doors
from alight.assembly.store import Store
from alight.assembly.telling import Telling
from alight.assembly.templates import OWNER
from alight.calls import Call, Members
from alight.console.app import Console
from alight.console.entry import Entry
from alight.console.guard import HOME
from alight.console.world import World
from alight.names import new_request_id


def login_link(store: Store, entry: Entry) -> str:
    """A link that lets somebody in, once."""
    return f"{store.address.public()}{HOME}/login?token={entry.link()}"


def build_console(
    store: Store, telling: Telling, doors: Doors, admin: Admin, stories: Stories, entry: Entry, exits: AsyncExitStack
) -> Console:
    """The pages; their process and their streams end with `exits`."""

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
            entry=entry,
            call=call,
            explain=stories.explain,
            show=stories.show,
            ask=ask,
            labels=doors.labels,
            base_url=store.address.public,
            version=__version__,
            read_only=store.settings.console_read_only,
        )
    )
    exits.push_async_callback(console.close)
    return console
