"""`alight logs`: what functions wrote, now or as they write it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from alight.cli import plain
from alight.cli.instance import Door, open_door
from alight.cli.options import AsJson, Data, command
from alight.clock import SystemClock
from alight.errors import AlightError

app = command("logs")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.command()
def logs(
    function: Annotated[str | None, typer.Argument(help="Only this function's.", show_default=False)] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with new lines as they come.")] = False,
    since: Annotated[str, typer.Option(help="How far back: 90s, 10m, 2h, 7d.")] = "1h",
    request: Annotated[str | None, typer.Option(help="Only this request's.", show_default=False)] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Print the functions' logs, oldest first."""
    start = max(SystemClock().now() - seconds(since), 0.0)
    for item in _lines(open_door(data), function, request, start, follow):
        sys.stdout.write((json.dumps(item) if as_json else _format(item)) + "\n")
        if follow:
            sys.stdout.flush()


def _lines(door: Door, function: str | None, request: str | None, start: float, follow: bool) -> Iterator[Any]:
    return door.lines("logs", function=function, request_id=request, start=start, follow=1 if follow else None)


def seconds(text: str) -> float:
    """`10m` in seconds. Raises `AlightError` for anything else."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if not found:
        raise AlightError(f"{text!r} is no length of time.", "Write it as 90s, 10m, 2h or 7d.")
    return int(found[1]) * _UNITS[found[2]]


def _format(item: Any) -> str:
    when = datetime.fromtimestamp(float(item.get("timestamp") or 0)).isoformat(" ", "milliseconds")
    source = str(item.get("group") or "").removeprefix("/aws/lambda/")
    return f"{when}  {plain.line(source)}  {plain.text(item.get('message') or '').rstrip()}"
