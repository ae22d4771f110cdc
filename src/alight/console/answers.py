"""A model's answer as a page shows it: its likeliest classes, else rows of a table, else a text."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from alight.services.answers import Guess, read_answer

#: Rows and columns of a table, and characters of a text, that are shown.
ROWS, COLUMNS, SHOWN = 50, 20, 20_000


@dataclass(frozen=True, slots=True)
class Readable:
    """One of the three; `more` counts rows that are left out. Nothing at all where the bytes are no text."""

    guesses: tuple[Guess, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    more: int = 0


def readable(body: bytes, content_type: str, labels: Sequence[str]) -> Readable:
    """What people read of an answer with this content type."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Readable()
    kind = content_type.partition(";")[0].strip().lower()
    lines = [line for line in text.splitlines() if line.strip()]
    if kind == "text/csv" and len(lines) > 1:
        # Several answers: each stands on a line of its own.
        with suppress(csv.Error):
            rows = tuple(tuple(cell.strip() for cell in row[:COLUMNS]) for row in csv.reader(lines[:ROWS]))
            return Readable(rows=rows, more=len(lines) - len(rows))
    if guesses := read_answer(body, labels):
        return Readable(guesses)
    return Readable(text=_spread(text)[:SHOWN])


def _spread(text: str) -> str:
    """JSON on lines of its own; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
