"""The human door: `alight WORD ...`, one file per command.

A command parses its words, asks the running instance over HTTP (`instance.py`) and shows the answer (`terminal.py`);
it never opens the database. `up` and `demo` start the runtime's process (`runtime.py`).

Commands are imported by name when they are asked for (`commands.py`), so that no command pays for another's
libraries; `env`, which scripts call often, and `up` do not even load the command-line library.

Exit codes: 0 done, 1 failed, 2 wrong usage or not running.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from alight.errors import AlightError

INTERRUPTED = 130
#: Commands that read their words themselves, before the command-line library is loaded.
QUICK = ("env", "up")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `words` default to the process's own."""
    given = list(sys.argv[1:] if words is None else words)
    try:
        if given and given[0] in QUICK:
            code: int = _module(given[0]).run(given[1:])
        else:
            code = _module("commands").run(given)
        sys.stdout.flush()
        return code
    except AlightError as error:
        return _tell(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`alight logs | head`); what is left to write goes nowhere, silently.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _module(name: str) -> Any:
    return importlib.import_module(f"alight.cli.{name}")


def _tell(error: AlightError) -> int:
    """One sentence, and what to do next. `exit_code` of an error decides over 1."""
    escape = _module("plain").line
    print(f"alight: {escape(error.message)}", file=sys.stderr)  # noqa: T201
    if error.hint:
        print(f"        {escape(error.hint)}", file=sys.stderr)  # noqa: T201
    code = getattr(error, "exit_code", 1)
    return code if isinstance(code, int) else 1
