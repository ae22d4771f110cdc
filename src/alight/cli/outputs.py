"""`alight outputs`: the template's outputs, resolved as they are asked for."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, facts, show

app = command("outputs")


@app.command()
def outputs(data: Data = None, as_json: AsJson = False) -> None:
    """Show the outputs of the template that is up."""
    show(open_door(data).get("outputs"), as_json, _render)


def _render(out: Console, answer: Any) -> None:
    if answer:
        out.print(facts(answer.items()))
    else:
        out.print(cell("No outputs: no template is up, or it names none.", ""))
