"""`alight restore`: a data folder from a backup. No instance runs on it yet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from alight.cli.folder import data_folder
from alight.cli.offline import offline
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, moment, show

app = command("restore")


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder that `alight backup` made.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a data folder from a backup, after reading all of it.

    The data folder must be missing or empty. What was under way when the backup was made happens again, messages
    that have left since then too."""
    place = data_folder(data).absolute()

    def render(out: Console, answer: Any) -> None:
        out.print(cell(f"{place} is as it was at {moment(answer['created'])}. Start it: alight up --data {place}", ""))

    show(offline("restore", backup.absolute(), place), as_json, render)
