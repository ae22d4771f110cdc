"""`alight plan`: what `apply` would do, and what the template says that has no effect here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from alight.cli.examples import template_at
from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, show, table

app = command("plan")
Template = Annotated[Path, typer.Argument(help="A SAM/CloudFormation template, or its folder.")]


@app.command()
def plan(template: Template = Path("."), data: Data = None, as_json: AsJson = False) -> None:
    """Show what apply would change; change nothing."""
    show(ask(template, data, plan_only=True), as_json, render)


def ask(template: Path, data: Path | None, *, plan_only: bool) -> Any:
    """Have the running instance plan or apply the template."""
    path = template_at(template).resolve()
    return open_door(data).post("apply", {"template": str(path), "plan_only": plan_only})


def render(out: Console, answer: Any) -> None:
    """The steps, then the warnings."""
    steps = answer.get("plan") or []
    columns = ("action", "logical_id", "type", "physical_id", "detail")
    if steps:
        out.print(
            table(
                [name.replace("_", " ") for name in columns], [[step.get(name) for name in columns] for step in steps]
            )
        )
    else:
        out.print(cell("Nothing to change.", ""))
    for warning in answer.get("warnings") or []:
        out.print(cell(f"warning: {warning}", "yellow"))
