"""`alight backup`: a copy of the data folder, of one moment. Works with and without an instance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from alight.cli.folder import NotRunning, data_folder
from alight.cli.instance import open_door
from alight.cli.offline import offline
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, facts, moment, show
from alight.cli.verify import render_damage

app = command("backup")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the copy.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Copy all data to a new folder, and read the copy back.

    The instance goes on meanwhile. The copy holds the keys too: keep it as safe as the data. Fails where something is
    damaged; the copy is made all the same."""
    place = target.absolute()
    try:
        answer = open_door(data).post("backup", {"target": str(place)}, timeout=None)
    except NotRunning:
        answer = offline("backup", data_folder(data), place)
    show(answer, as_json, render_backup)
    if answer["damage"]:
        raise typer.Exit(1)


def render_backup(out: Console, answer: Any) -> None:
    """Where it is, from when, and how much."""
    size = f"{answer['size'] / 2**20:.1f} MiB"
    out.print(facts([("folder", answer["folder"]), ("from", moment(answer["created"])), ("size", size)]))
    render_damage(out, answer["damage"])
    if not answer["damage"]:
        out.print(cell("It was read back and is whole.", "green"))
