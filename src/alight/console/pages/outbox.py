"""The outbox: every delivery with its state; and what phones and mailboxes would show of what is held."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alight.console.forms import read_form, shows_again
from alight.console.render import Render
from alight.console.world import World
from alight.errors import Fault
from alight.store.rows import row_number

PAGE = 50
#: What a delivery's reason is called, where it is a code.
REASONS = {
    "ClientError": "it was refused, and would be again",
    "RetriesExhausted": "every attempt failed",
}
STATES = ("ready", "sending", "sent", "held", "dead")
#: What is shown as a phone, or as a mailbox, shows it.
PHONES = 12


class Outbox:
    """`/outbox`."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        return [
            Route("/outbox", self.page),
            Route("/outbox/redrive", self.redrive, methods=["POST"]),
            Route("/outbox/confirm", self.confirm, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        given = request.query_params
        state = given.get("state", "") if given.get("state") in STATES else ""
        before = row_number(given.get("before", ""))
        rows = self._world.outbox.deliveries(state, before, PAGE + 1)
        held = self._world.outbox.deliveries("held", None, 200)
        return self._render.page(
            request,
            "outbox.html",
            rows=rows[:PAGE],
            next=rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
            state=state,
            states=STATES,
            reasons=REASONS,
            waits=self._world.waits,
            is_first=before is None,
            phones=self._phones(held),
            mails=self._mails(held),
        )

    def _mails(self, held: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The newest first, as mailboxes get them. What confirms a subscription is for those who may do so."""
        rows = [row for row in held if row["protocol"].startswith("email")][:PHONES]
        return [
            row
            | {"body": self._world.text_in_mailboxes(row["message_id"])}
            | {"question": self._world.question_of(row["message_id"], row["subscription"])}
            for row in rows
        ]

    def _phones(self, held: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
        """For each number its messages, the newest last, as a phone shows them."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in held:
            if row["protocol"] == "sms":
                shown = row | {"body": self._world.text_on_phones(row["message_id"])}
                found.setdefault(row["target"], []).insert(0, shown)
        return list(found.items())[:PHONES]

    async def redrive(self, request: Request) -> Response:
        form = await read_form(request)
        ids = [number for id in form.all("id") if (number := row_number(id)) is not None]
        if not ids:
            raise HTTPException(400, "Nothing is chosen.")
        await self._world.ask("outbox/redrive", {"ids": ids})
        return shows_again(request)

    async def confirm(self, request: Request) -> Response:
        """What the link in a held mail would do."""
        form = await read_form(request)
        try:
            await self._world.call("sns", "ConfirmSubscription", {"TopicArn": form["topic"], "Token": form["token"]})
        except Fault as fault:
            if fault.code != "InvalidParameter":
                raise
            # Answered elsewhere since this page was made: who clicks a button has no token that could be wrong.
            raise HTTPException(409, "This mail is answered, or asks no more: load the page again.") from fault
        return shows_again(request)
