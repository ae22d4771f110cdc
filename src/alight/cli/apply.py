"""`alight apply`: bring the running instance to what the template says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from alight.cli.options import AsJson, Data, command
from alight.cli.plan import Template, ask, render
from alight.cli.terminal import console, facts, show

app = command("apply")


@app.command()
def apply(template: Template = Path("."), data: Data = None, as_json: AsJson = False) -> None:
    """Bring the running instance to what TEMPLATE says."""
    with console(stderr=True).status("Applying"):
        answer = ask(template, data, plan_only=False)
    show(answer, as_json, _render)


def _render(out: Console, answer: Any) -> None:
    render(out, answer)
    if answer.get("outputs"):
        out.print()
        out.print(facts(answer["outputs"].items()))
