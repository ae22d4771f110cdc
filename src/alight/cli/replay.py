"""How the lines of a replay are shown: progress to stderr, what changed to stdout, a sum at the end."""

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
            sys.stdout.write(json.dumps(line) + "\n")
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
