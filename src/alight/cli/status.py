"""`alight status`: what runs, what is there, and whether the books balance."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, facts, moment, show, table

app = command("status")


@app.command()
def status(data: Data = None, as_json: AsJson = False) -> None:
    """Show what runs, what is there, and the books."""
    show(open_door(data).get("status"), as_json, _render)


def _render(out: Console, answer: Any) -> None:
    head = [("address", answer.get("url")), ("console", answer.get("console")), ("data folder", answer.get("data"))]
    process = f"{answer.get('pid')}, version {answer.get('version')}, since {moment(answer.get('started'))}"
    sandbox = [("sandbox", answer["sandbox"]["detail"])] if "sandbox" in answer else []
    known = [pair for pair in [*head, ("template", answer.get("template"))] if pair[1]]
    out.print(facts([*known, ("process", process), *sandbox]))
    for title, counts in (("events", answer.get("books")), ("outbox", answer.get("outbox"))):
        if counts:
            out.print(facts([(title, ", ".join(f"{number} {state}" for state, number in counts.items()))]))
    if "backup" in answer:
        out.print(facts([("backup", _backup(answer["backup"]))]))
    for kind in ("functions", "endpoints", "apis", "buckets", "topics", "queues"):
        _render_kind(out, kind, answer.get(kind) or [])
    for warning in answer.get("warnings") or []:
        out.print(cell(f"warning: {warning}", "yellow"))


def _backup(last: Any) -> str:
    if last is None:
        return "none was made yet: alight backup FOLDER"
    damage = f", with {last['damage']} things damaged" if last["damage"] else ""
    return f"{moment(last['created'])}, {last['folder']}{'' if last['there'] else ' (not there any more)'}{damage}"


def _render_kind(out: Console, kind: str, items: list[Any]) -> None:
    if not items:
        return
    out.print()
    if isinstance(items[0], dict):
        columns = [name for name, value in items[0].items() if not isinstance(value, list | dict)]
        out.print(
            table([f"{kind}: {columns[0]}", *columns[1:]], [[item.get(name) for name in columns] for item in items])
        )
    else:
        out.print(table([kind], [[item] for item in items]))
