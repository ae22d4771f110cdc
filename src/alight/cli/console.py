"""`alight console`: a link that lets you into the console, once."""

from __future__ import annotations

from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, show

app = command("console")


@app.command()
def console(data: Data = None, as_json: AsJson = False) -> None:
    """Print a link to the console that lets you in, once, within a quarter of an hour."""
    answer = open_door(data).post("console", {})
    show(answer, as_json, lambda out, link: out.print(cell(link["url"], ""), soft_wrap=True))
