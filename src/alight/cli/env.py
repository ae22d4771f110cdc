"""`alight env`: the variables that make any AWS tool speak to this instance.

Handled before the command-line library is loaded (under 0.2 s in all), and also while the instance is stopped: the
address is then the one it had last, or the one it will have by its settings.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from alight import credentials
from alight.cli.folder import NotRunning, data_folder, reachable, read_facts
from alight.names import REGION
from alight.settings import load_settings


def variables(data: Path) -> dict[str, str]:
    """Raises `NotRunning` where the folder has no keys yet."""
    if not (data / credentials.FILE_NAME).exists():
        raise NotRunning(f"{data} has no credentials yet.", f"The first start makes them: alight up --data {data}")
    keys = credentials.load(data)
    facts = read_facts(data)
    settings = load_settings(Path.cwd())
    scheme = "https" if settings.tls_cert else "http"
    return {
        "AWS_ENDPOINT_URL": facts.url if facts else f"{scheme}://{reachable(settings.host)}:{settings.port}",
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
    }


def run(words: Sequence[str]) -> int:
    """`env [--json] [--data DIR]`; wrong words exit with 2."""
    parser = argparse.ArgumentParser(
        prog="alight env",
        description="Print the variables that make any AWS tool speak to this instance.",
        epilog='In a shell: eval "$(alight env)"',
    )
    parser.add_argument("--data", metavar="DIR", type=Path, help="the instance's data folder (default: .alight)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    try:
        given = parser.parse_args(list(words))
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    found = variables(data_folder(given.data))
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in found.items())
    return 0
