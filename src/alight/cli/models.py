"""`alight models`: what answers behind the endpoints."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import cell, show, table

app = command("models")


@app.command()
def models(data: Data = None, as_json: AsJson = False) -> None:
    """List endpoints with their models and replicas."""
    show(open_door(data).get("models"), as_json, _render)


def _render(out: Console, answer: Any) -> None:
    rows = []
    for endpoint in answer.get("endpoints") or []:
        for variant in endpoint.get("variants") or [{}]:
            replicas, model = variant.get("replicas"), variant.get("model")
            problem = endpoint.get("failure_reason") or ""
            rows.append(
                (
                    endpoint.get("name"),
                    endpoint.get("status"),
                    variant.get("name"),
                    model,
                    variant.get("format"),
                    replicas,
                    problem,
                )
            )
    if rows:
        out.print(table(("endpoint", "status", "variant", "model", "format", "replicas", "problem"), rows))
    else:
        out.print(cell("No endpoints.", ""))
