"""`alight verify`: read everything that was promised, and name what is damaged. Works with and without an instance."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console

from alight.cli.folder import NotRunning, data_folder
from alight.cli.instance import open_door
from alight.cli.offline import offline
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, show, table

app = command("verify")


@app.command()
def verify(data: Data = None, as_json: AsJson = False) -> None:
    """Read all data and compare it with its checksums.

    Fails where something is damaged."""
    try:
        answer = open_door(data).post("verify", {}, timeout=None)
    except NotRunning:
        answer = offline("verify", data_folder(data))
    show(answer, as_json, _render)
    if answer["damage"]:
        raise typer.Exit(1)


def _render(out: Console, answer: Any) -> None:
    render_damage(out, answer["damage"])
    if not answer["damage"]:
        out.print(cell("All rows and bytes are as they were written.", "green"))


def render_damage(out: Console, damage: Any) -> None:
    """What is damaged, a line each."""
    if damage:
        out.print(table(("damaged", "which"), [(one["what"], one["key"]) for one in damage]))
