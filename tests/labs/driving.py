"""Drives a lab's script as a student at a terminal would, and starts the runtime anew between its steps."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support import BIN, Instance, clean_environment, sweep

LABS = Path(__file__).parent
STEP = "== "


def drive(script: str, instance: Instance, home: Path, between: Callable[[str], None], aws: str) -> list[str]:
    """Run a script to its end and return its steps. Before each one it waits, while `between(step)` runs.

    Raises `AssertionError` with all that it printed where it fails.
    """
    said: list[str] = []
    process = subprocess.Popen(
        ["bash", str(LABS / script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(instance, home, aws),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with process.stdin as keyboard, process.stdout as screen:
            for line in screen:
                said.append(line)
                if line.startswith(STEP):
                    between(line.removeprefix(STEP).strip())
                    keyboard.write("\n")
                    keyboard.flush()
        assert process.wait(30) == 0, f"{script} failed:\n{''.join(said)}"
    finally:
        sweep(process)
    return [line.removeprefix(STEP).strip() for line in said if line.startswith(STEP)]


def _environment(instance: Instance, home: Path, aws: str) -> dict[str, str]:
    return clean_environment(
        **instance.variables,
        HOME=str(home),
        LANG="C.UTF-8",
        PYTHONWARNINGS="ignore",
        AWS_CLI=aws,
        ALIGHT=str(BIN / "alight"),
        ALIGHT_DATA=str(instance.data),
        LAB_PAUSE="1",
    )
