"""What every demo stands on: a runtime of its own with the example's app, and the ways to talk to it and to people."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.progress import Progress

from alight.cli import plain
from alight.cli.env import variables
from alight.cli.instance import Door, open_door
from alight.cli.runtime import Runtime
from alight.cli.terminal import console
from alight.clock import Clock

#: Seconds within which the runtime must serve: the first start unpacks the model.
START_LIMIT = 60.0
PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of one example."""

    folder: Path
    runtime: Runtime
    data: Path
    progress: Progress
    clock: Clock

    def open(self) -> Door:
        """The door of the runtime as soon as it serves, announced with its address and the way to its keys."""
        import boto3  # noqa: F401  takes as long as the runtime does to start, so both do it at once

        url = self.runtime.wait_ready(START_LIMIT)
        door = open_door(self.data)
        keys = f'eval "$(alight env --data {shlex.quote(str(self.data))})"'
        tell(f"Console  {door.post('console', {})['url']}")
        tell(f"API      {url}, keys: {keys}")
        return door

    def client(self, service: str) -> Any:
        """A boto3 client, as any program would make it."""
        import boto3

        keys = variables(self.data)
        return boto3.client(  # type: ignore[call-overload, unused-ignore]
            service,
            endpoint_url=keys["AWS_ENDPOINT_URL"],
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            region_name=keys["AWS_DEFAULT_REGION"],
        )

    def complain(self, what: str) -> None:
        """Say what is missing, and the runtime's last words."""
        err = console(stderr=True)
        err.print(plain.line(what), style="red", markup=False)
        err.print(f"The runtime's last words: {plain.line(self.runtime.last_words())}", markup=False)


class Demo(Protocol):
    """One example's show."""

    def check(self, folder: Path) -> None:
        """Raises `AlightError` where the example cannot be shown here."""

    def run(self, stage: Stage) -> bool:
        """Everything that `--once` waits for. False, with a complaint, where something is missing or wrong."""

    def stay(self, stage: Stage) -> None:
        """What goes on until Ctrl-C, SIGTERM or the runtime's end."""


def tell(text: str) -> None:
    """One line, or several, to stdout."""
    sys.stdout.write(plain.text(text) + "\n")
    sys.stdout.flush()
