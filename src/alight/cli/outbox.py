"""`alight outbox`: messages on their way out, and those that wait for a gateway or have given up."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from alight.cli import plain
from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, moment, show, table

app = command("outbox")


@app.command()
def outbox(
    state: Annotated[str | None, typer.Option(help="ready, sending, sent, held or dead.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    redrive: Annotated[
        list[int] | None, typer.Option(metavar="ID", help="Send this dead delivery again.", show_default=False)
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List deliveries of messages, newest first."""
    if redrive:
        answer = open_door(data).post("outbox/redrive", {"ids": redrive})
        show(answer, as_json, lambda out, done: out.print(cell(f"{done.get('count')} will be sent again.", "")))
        return
    show(open_door(data).get("outbox", state=state, limit=limit), as_json, _render)


def _render(out: Console, answer: Any) -> None:
    found = answer.get("deliveries") or []
    if not found:
        out.print(cell("No deliveries.", ""))
        return
    rows = [
        (
            item.get("id"),
            item.get("state"),
            f"{item.get('protocol')} {item.get('target')}",
            item.get("attempts"),
            moment(item.get("created")),
            plain.brief(item.get("body") or "", 100),
            plain.brief(item.get("last_error") or item.get("reason") or ""),
        )
        for item in found
    ]
    out.print(table(("id", "state", "to", "attempts", "created", "message", "note"), rows))
    held = sum(item.get("state") == "held" for item in found)
    if notice := answer.get("notice"):
        out.print(cell(notice, "yellow"))
    elif held:
        out.print(
            cell(
                f"Held until there is a gateway ({held}): set smtp_url or sms_url (docs/reference/settings.md).",
                "yellow",
            )
        )
