"""`alight up`: become the runtime, in the foreground.

The command turns into the runtime's process (same pid), so signals, exit code and output are the runtime's own: the
plan on stderr, one line `Alight ready at URL` on stdout, SIGTERM stops it and its children.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from alight.cli.examples import template_at
from alight.cli.options import Data, command
from alight.cli.runtime import command_line

app = command("up")


@app.command()
def up(
    template: Annotated[
        Path | None, typer.Argument(help="A SAM/CloudFormation template, or its folder.", show_default=False)
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on [default: 127.0.0.1]", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="0 picks a free one [default: 4566]", min=0, max=65535, show_default=False)
    ] = None,
    data: Data = None,
) -> None:
    """Run Alight in the foreground, with an app or empty."""
    words = command_line(template_at(template).resolve() if template else None, host, port, data)
    sys.stdout.flush()
    os.execv(words[0], words)
