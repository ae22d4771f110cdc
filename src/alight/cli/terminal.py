"""How answers are shown: Rich on a terminal, plain columns in a pipe, JSON for scripts.

Everything that came from outside passes `plain` and is put into Rich as `Text`, never as markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alight.cli import plain

#: Columns where there is no terminal: wide enough that no id is broken.
PIPE_WIDTH = 240

STYLES = {
    "succeeded": "green", "sent": "green", "ok": "green", "InService": "green", "accepted": "green", "create": "green",
    "pending": "yellow", "running": "yellow", "ready": "yellow", "sending": "yellow", "held": "yellow",
    "waiting": "yellow", "warning": "yellow", "update": "yellow", "replace": "yellow", "Creating": "yellow",
    "dead": "red", "error": "red", "failed": "red", "Failed": "red", "delete": "red",
}  # fmt: skip


def console(*, stderr: bool = False) -> Console:
    """A console on stdout (answers) or stderr (progress, notes)."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH, highlight=False, soft_wrap=False)


def show(answer: Any, as_json: bool, render: Callable[[Console, Any], None]) -> None:
    """Print `answer` as JSON, or hand it to `render`."""
    if as_json:
        print_json(answer)
    else:
        render(console(), answer)


def print_json(answer: Any) -> None:
    """JSON in ASCII: safe for any terminal and any reader."""
    sys.stdout.write(json.dumps(answer, indent=2, default=str) + "\n")


def cell(value: object, style: str | None = None) -> Text:
    """A piece of data: one line, coloured by what it says."""
    shown = "" if value is None else plain.line(value)
    return Text(shown, style=STYLES.get(shown, "") if style is None else style)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table without borders; cells may be `Text` already."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(item if isinstance(item, Text) else cell(item) for item in row))
    return made


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names and values, one pair a line."""
    made = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for name, value in pairs:
        made.add_row(Text(name, style="bold"), value if isinstance(value, Text) else cell(value))
    return made


def moment(seconds: object) -> str:
    """Local time to the millisecond, or nothing."""
    if not isinstance(seconds, int | float):
        return ""
    return datetime.fromtimestamp(seconds).isoformat(" ", "milliseconds")


def duration(seconds: object) -> str:
    """`0.4 ms`, `12 ms`, `3.20 s`, `5 min`, `2 h`, or nothing."""
    if not isinstance(seconds, int | float):
        return ""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
