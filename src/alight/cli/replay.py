"""How the lines of a replay or a slow redrive are shown: progress to stderr, the rest to stdout, a sum at the end."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from alight.cli import plain
from alight.cli.terminal import cell, console

#: What `same` says of a comparison.
_VERDICTS = {True: "same", False: "changed", None: "new"}


def show_replay(lines: Iterable[Any], as_json: bool, dry_run: bool) -> None:
    """Print each line as it comes, as JSON or for people."""
    out, notes, verdicts = console(), console(stderr=True), Counter[str]()
    matched = 0
    for line in lines:
        if as_json:
            _write(line)
        elif "matched" in line:
            matched = line["matched"]
            out.print(cell(f"{matched} objects {'would be' if dry_run else 'are'} told of.", ""))
        elif "told" in line:
            notes.print(cell(f"{line['told']} of {matched} told", "dim"))
        elif "same" in line:
            verdicts[_VERDICTS[line["same"]]] += 1
            _render(out, line)
        else:
            out.print(cell(line["key"]))
    if verdicts and not as_json:
        out.print(cell(", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items())), "bold"))


def show_redrive(lines: Iterable[Any], as_json: bool) -> None:
    """Progress to stderr, the sum to stdout."""
    out, notes, matched, done = console(), console(stderr=True), 0, 0
    for line in lines:
        if as_json:
            _write(line)
        elif "matched" in line:
            matched = line["matched"]
        else:
            done = line["redriven"]
            notes.print(cell(f"{done} of {matched} brought back", "dim"))
    if not as_json:
        out.print(cell(f"{done} dead events were brought back.", ""))


def _write(line: Any) -> None:
    """At once, also into a pipe: a slow replay may take hours, and whoever reads it wants to know how far it is."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _render(out: Console, line: Any) -> None:
    """What is the same is only counted; what changed is shown before and after."""
    if line["same"]:
        return
    out.print(cell(f"{line['key']} ({line['function']}, event {line['event']})", "bold"))
    for name, said in (("before", line["old"]), ("now", line["new"])):
        if said is not None:
            out.print(cell(f"  {name}: {_brief(said)}", ""))


def _brief(said: Any) -> str:
    """The messages, which people know it by; else the answer or the error."""
    if said["messages"]:
        return plain.brief(" | ".join(said["messages"]))
    if said["error"]:
        return plain.brief(str(said["error"].get("errorMessage") or said["error"].get("reason") or said["error"]))
    return plain.brief(str(said["result"]))
