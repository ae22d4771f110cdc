"""`alight up`: become the runtime, in the foreground.

The command turns into the runtime's process (same pid), so signals, exit code and output are the runtime's own: the
plan on stderr, one line `Alight ready at URL` on stdout, SIGTERM stops it and its children. The command-line library
is not loaded for that: it would be a tenth of the time until the instance is ready.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from alight.cli.examples import template_at
from alight.cli.runtime import command_line


def run(words: Sequence[str]) -> int:
    """`up [TEMPLATE]` and its flags; wrong words exit with 2, right ones never return."""
    parser = argparse.ArgumentParser(
        prog="alight up", description="Run Alight in the foreground, with the app of TEMPLATE or an empty account."
    )
    parser.add_argument("template", nargs="?", type=Path, help="a SAM/CloudFormation template, or its folder")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="0 picks a free one (default: 4566)")
    parser.add_argument("--data", metavar="DIR", type=Path, help="the instance's data folder (default: .alight)")
    parser.add_argument("--tls-cert", metavar="FILE", type=Path, help="speak TLS, with this certificate (PEM, chain)")
    parser.add_argument("--tls-key", metavar="FILE", type=Path, help="the certificate's key (PEM)")
    parser.add_argument("--insecure", action="store_true", help="let other machines in without TLS")
    try:
        given = parser.parse_args(list(words))
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    template = template_at(given.template).resolve() if given.template else None
    files = {"--tls-cert": given.tls_cert, "--tls-key": given.tls_key}
    further = [word for flag, file in files.items() if file is not None for word in (flag, str(file.absolute()))]
    further += ["--insecure"] if given.insecure else []
    command = command_line(template, given.host, given.port, given.data, *further)
    os.execv(command[0], command)


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port")
    return number
