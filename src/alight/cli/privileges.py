"""`alight doctor --least-privilege FUNCTION`: the smallest policy that the recorded calls needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from alight.cli.instance import open_door, segment
from alight.cli.terminal import cell, moment, show, table


def least_privilege(function: str, data: Path | None, as_json: bool) -> None:
    show(open_door(data).get(f"privileges/{segment(function)}"), as_json, _render)


def _render(out: Console, answer: Any) -> None:
    runs = answer["runs"]
    since = f" since {moment(answer['since'])}" if answer.get("since") else ""
    out.print(cell(f"The least that {runs} run{'' if runs == 1 else 's'} of {answer['function']}{since} needed:", ""))
    out.print()
    # In ASCII and unbroken, so that it can be pasted as it stands.
    out.print(Text(json.dumps(answer["policy"], indent=2)), soft_wrap=True)
    out.print()
    if not answer["beyond"]:
        out.print(cell(f"The role {answer['role']} has nothing beyond it.", ""))
        return
    out.print(cell(f"Beyond it the role {answer['role']} has:", ""))
    rows = [
        (one["policy"], one["action"], one["resource"], "wider than needed" if one["used"] else "not needed")
        for one in answer["beyond"]
    ]
    out.print(table(("policy", "action", "resource", ""), rows))
