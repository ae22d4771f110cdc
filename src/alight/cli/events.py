"""`alight events`: what was accepted, how far it is, and how a dead letter is brought back to life."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from alight.cli import plain
from alight.cli.instance import open_door, segment
from alight.cli.logs import seconds
from alight.cli.options import AsJson, Data, command
from alight.cli.replay import show_redrive, show_replay
from alight.cli.terminal import cell, facts, moment, show, table
from alight.clock import SystemClock
from alight.errors import AlightError

app = command("events")
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the event.")]
Function = Annotated[str | None, typer.Option(help="Only those for this function.", show_default=False)]


@app.callback()
def events() -> None:
    """Accepted events: list, show, replay, redrive."""


@app.command("list")
def list_events(
    state: Annotated[str | None, typer.Option(help="pending, running, succeeded or dead.", show_default=False)] = None,
    function: Function = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    before: Annotated[
        str | None, typer.Option(metavar="ID", help="Only those older than this event.", show_default=False)
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List events, newest first."""
    answer = open_door(data).get("events", state=state, function=function, limit=limit, before=before)
    show(answer, as_json, _render_list)


@app.command("show")
def show_event(event: Id, data: Data = None, as_json: AsJson = False) -> None:
    """Show one event with its payload and its attempts."""
    show(open_door(data).get(f"events/{segment(event)}"), as_json, _render_event)


@app.command()
def replay(
    event: Annotated[str | None, typer.Argument(metavar="[ID]", help="Id of an event.", show_default=False)] = None,
    bucket: Annotated[str | None, typer.Option(help="Tell of all objects of this bucket.", show_default=False)] = None,
    prefix: Annotated[str, typer.Option(help="Only keys that begin so.", show_default=False)] = "",
    since: Annotated[str | None, typer.Option(help="Only from the last 90s, 10m, 2h, 7d.", show_default=False)] = None,
    sample: Annotated[int, typer.Option(min=0, help="Only so many of them, drawn at random.", show_default=False)] = 0,
    rate: Annotated[float, typer.Option(min=0, help="Objects a second at most.", show_default=False)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Set each answer beside the last one.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Keep back what the functions publish.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Accept an event's payload once more, or tell again of the objects that are in a bucket.

    Without --quiet people are told again, too."""
    if (event is None) == (bucket is None):
        raise AlightError("Name an event, or a bucket with --bucket.", "alight events list shows events.")
    if event is not None:
        answer = open_door(data).post(f"events/{segment(event)}/replay", {})
        show(answer, as_json, lambda out, made: out.print(cell(f"Accepted as event {made.get('id')}.", "")))
        return
    start = SystemClock().now() - seconds(since) if since else 0
    wanted = {"bucket": bucket, "prefix": prefix, "since": start, "sample": sample, "rate": rate}
    lines = open_door(data).lines("events/replay", {**wanted, "dry_run": dry_run, "compare": compare, "quiet": quiet})
    show_replay(lines, as_json, dry_run)


@app.command()
def redrive(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Dead events.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead event that the other options leave.")] = False,
    function: Function = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason, or type of error.")] = None,
    since: Annotated[str | None, typer.Option(help="Only those given up in the last 90s, 10m, 2h, 7d.")] = None,
    before: Annotated[str | None, typer.Option(help="Only those given up longer ago than that.")] = None,
    bucket: Annotated[str | None, typer.Option(help="Only of objects in this bucket.", show_default=False)] = None,
    prefix: Annotated[str | None, typer.Option(help="Only of keys that begin so.", show_default=False)] = None,
    rate: Annotated[float, typer.Option(min=0, help="Events a second at most.", show_default=False)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Bring dead events back: each gets all its attempts again."""
    named = {"function": function, "reason": reason, "bucket": bucket, "prefix": prefix}
    now = SystemClock().now()
    moments = {name: now - seconds(text) for name, text in (("since", since), ("before", before)) if text}
    chosen: dict[str, Any] = {name: text for name, text in named.items() if text is not None} | moments
    if bool(ids) == (every or bool(chosen)):
        raise AlightError(
            "Name the dead events, or say --all, --function, --reason, --since, --before, --bucket or --prefix.",
            "alight events list --state dead",
        )
    wanted: dict[str, Any] = {**({"ids": ids} if ids else {"filter": chosen}), "dry_run": dry_run}
    if rate and not dry_run:
        show_redrive(open_door(data).lines("events/redrive", {**wanted, "rate": rate}), as_json)
        return
    answer = open_door(data).post("events/redrive", wanted)
    show(answer, as_json, lambda out, done: _render_redrive(out, done, dry_run))


def _render_list(out: Console, answer: Any) -> None:
    found = answer.get("events") or []
    if not found:
        out.print(cell("No events.", ""))
        return
    rows = [
        (
            item.get("id"),
            item.get("state"),
            item.get("function"),
            item.get("attempts"),
            moment(item.get("accepted")),
            plain.brief(why(item)),
        )
        for item in found
    ]
    out.print(table(("id", "state", "function", "attempts", "accepted", "what"), rows))
    if older := answer.get("next"):
        out.print(cell(f"There are older ones: alight events list --before {older}", "dim"))


def why(item: Any) -> str:
    """The error of an event that has one, else where it came from."""
    error = item.get("error")
    if isinstance(error, dict):
        return f"{error.get('type') or 'error'}: {error.get('message') or ''}"
    source = item.get("source")
    if isinstance(source, dict):
        return " ".join(str(value) for value in source.values() if isinstance(value, str | int))
    return str(error or source or "")


def _render_event(out: Console, item: Any) -> None:
    names = ("id", "state", "function", "attempts")
    times = [(name, moment(item.get(name))) for name in ("accepted", "not_before", "finished") if item.get(name)]
    out.print(facts([*((name, item.get(name)) for name in names), *times, ("what", plain.brief(why(item)))]))
    error = item.get("error")
    if isinstance(error, dict) and "\n" in str(error.get("message")).strip():
        out.print()
        out.print(plain.text(error["message"]).rstrip(), style="red", markup=False)
    if history := item.get("history"):
        out.print()
        columns = ("started", "ended", "outcome", "request_id", "error")
        rows = [
            (moment(one.get("started")), moment(one.get("ended")), one.get("outcome"), one.get("request_id"), why(one))
            for one in history
        ]
        out.print(table(columns, rows))
    for name in ("payload", "result"):
        if item.get(name) is not None:
            out.print()
            out.print(cell(name, "bold"))
            out.print(plain.text(json.dumps(item[name], indent=2, ensure_ascii=False)), markup=False)


def _render_redrive(out: Console, answer: Any, dry_run: bool) -> None:
    number = answer.get("count", len(answer.get("ids") or []))
    out.print(cell(f"{number} dead events {'would be' if dry_run else 'were'} brought back.", ""))
    for event in answer.get("ids") or []:
        out.print(cell(event))
