"""`alight invoke`: call a function as the Invoke API does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from alight.cli import plain
from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.terminal import console, print_json
from alight.errors import AlightError

app = command("invoke")


@app.command()
def invoke(
    function: Annotated[str, typer.Argument(help="Name or ARN of the function.")],
    payload: Annotated[str, typer.Argument(help="The event as JSON; - reads it from stdin.")] = "{}",
    file: Annotated[Path | None, typer.Option(help="Read the event from a file.", show_default=False)] = None,
    event: Annotated[bool, typer.Option("--event", help="Asynchronously: accept it and return.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check that the call would be allowed.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Invoke a function and print its answer.

    Its log goes to stderr; the command fails where the function fails."""
    body = {
        "function": function,
        "payload": _payload(payload, file),
        "type": "DryRun" if dry_run else "Event" if event else "RequestResponse",
    }
    answer = open_door(data).post("invoke", body)
    if as_json:
        print_json(answer)
    else:
        _render(answer)
    if answer.get("function_error"):
        raise typer.Exit(1)


def _payload(given: str, file: Path | None) -> Any:
    where = str(file) if file else "stdin" if given == "-" else "PAYLOAD"
    try:
        text = file.read_text() if file else sys.stdin.read() if given == "-" else given
        return json.loads(text)
    except OSError as error:
        raise AlightError(f"{where} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise AlightError(f"{where} is not JSON: {error}.", "A text is JSON in quotes: '\"text\"'") from None


def _render(answer: Any) -> None:
    if log := answer.get("log_tail"):
        sys.stderr.write(plain.text(log).rstrip("\n") + "\n")
    if answer.get("function_error"):
        console(stderr=True).print(
            f"The function failed ({plain.line(answer['function_error'])}).", style="red", markup=False
        )
    if answer.get("event_id"):
        sys.stdout.write(f"Accepted as event {plain.line(answer['event_id'])}.\n")
    elif "payload" in answer and answer.get("status") != 204:
        print_json(answer["payload"])
