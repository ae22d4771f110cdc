"""`alight explain`: the story of one event as a tree with times, from the request that made it to the last delivery."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from alight.cli import plain
from alight.cli.events import why
from alight.cli.instance import open_door, segment
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import STYLES, cell, duration, moment, show

app = command("explain")


@app.command()
def explain(
    event: Annotated[str, typer.Argument(metavar="ID", help="Id of an event, a request or a message.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one event."""
    show(open_door(data).get(f"explain/{segment(event)}"), as_json, _render)


def _render(out: Console, answer: Any) -> None:
    event = answer.get("event") or {}
    start = event.get("accepted") or _first(answer.get("steps") or [])
    tree = Tree(Text.assemble("event ", (plain.line(event.get("id", "")), "bold"), "  ", cell(event.get("state"))))
    if event.get("accepted"):
        tree.add(
            cell(f"accepted {moment(event['accepted'])} for {event.get('function', '')}: {plain.brief(why(event))}", "")
        )
    _add_steps(tree, answer.get("steps") or [], start)
    _add_messages(tree, answer.get("messages") or [], start)
    _add_logs(tree, answer.get("logs") or [], start)
    out.print(tree)


def _first(steps: list[Any]) -> Any:
    return min((step["at"] for step in steps if isinstance(step.get("at"), int | float)), default=None)


def _add_steps(tree: Tree, steps: list[Any], start: Any) -> None:
    for step in steps:
        label = Text.assemble((_after(step.get("at"), start), "cyan"), "  ", cell(step.get("what"), _style(step)))
        if step.get("detail"):
            label.append("  ").append(plain.brief(step["detail"]), style="dim")
        if took := duration(step.get("duration")):
            label.append(f"  ({took})", style="dim")
        _add_steps(tree.add(label), step.get("steps") or [], start)


def _add_messages(tree: Tree, messages: list[Any], start: Any) -> None:
    for item in messages:
        label = Text.assemble(
            (_after(item.get("created"), start), "cyan"), "  message to ", cell(item.get("protocol"), "")
        )
        label.append(f" {plain.line(item.get('target') or '')}: ").append(cell(item.get("state")))
        branch = tree.add(label)
        branch.add(cell(item.get("body"), ""))
        if item.get("last_error"):
            branch.add(cell(item["last_error"], "red"))


def _add_logs(tree: Tree, lines: list[Any], start: Any) -> None:
    if lines:
        branch = tree.add("log")
        for item in lines:
            when = (_after(item.get("timestamp"), start), "cyan")
            message = plain.text(str(item.get("message") or "").expandtabs(4).rstrip())
            branch.add(Text.assemble(when, "  ", message))


def _after(at: Any, start: Any) -> str:
    if not isinstance(at, int | float) or not isinstance(start, int | float):
        return ""
    return f"{'-' if at < start else '+'}{duration(abs(at - start))}"


def _style(step: Any) -> str:
    status = step.get("status")
    return STYLES.get(status, "") if status != "ok" else ""
