"""`alight outbox`: messages on their way out, and those that wait for a gateway or have given up."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from alight.cli import plain
from alight.cli.instance import Door, open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, moment, show, table

app = command("outbox")

#: Deliveries that the door gives at once.
PAGE = 1000


@app.command()
def outbox(
    state: Annotated[str | None, typer.Option(help="ready, sending, sent, held or dead.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    before: Annotated[
        int | None, typer.Option(metavar="ID", help="Only those older than this delivery.", show_default=False)
    ] = None,
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
    show(_pages(open_door(data), state, limit, before), as_json, _render)


def _pages(door: Door, state: str | None, limit: int, before: int | None) -> Any:
    """As many pages as `limit` takes, as one answer."""
    answer = door.get("outbox", state=state, before=before, limit=min(limit, PAGE))
    while (older := answer.get("next")) and len(answer["deliveries"]) < limit:
        rest = min(limit - len(answer["deliveries"]), PAGE)
        page = door.get("outbox", state=state, before=older, limit=rest)
        answer = page | {"deliveries": answer["deliveries"] + page["deliveries"]}
    return answer


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
            plain.brief(item.get("waits") or item.get("last_error") or item.get("reason") or "", 200),
        )
        for item in found
    ]
    out.print(table(("id", "state", "to", "attempts", "created", "message", "note"), rows))
    if older := answer.get("next"):
        out.print(cell(f"There are older ones: alight outbox --before {older}", ""))
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
