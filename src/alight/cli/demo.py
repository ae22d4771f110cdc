"""`alight demo birds`: the whole walk at one word.

Pictures go in by boto3, as any program would put them; messages come out, and as no SMS gateway is configured, the
outbox is the phone that shows them.

With `--once` it ends with 0 after the message of every picture, or with 1 where one is missing after a minute. Without,
it stays and shows what happens to pictures that you put there yourself.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from alight.cli import plain
from alight.cli.env import variables
from alight.cli.examples import example, template_at
from alight.cli.instance import Door, open_door
from alight.cli.options import command
from alight.cli.runtime import Runtime, command_line
from alight.cli.terminal import console
from alight.clock import Clock, SystemClock
from alight.errors import AlightError

#: Seconds within which the runtime must serve: the first start unpacks the model.
START_LIMIT = 60.0
MESSAGE_LIMIT = 60.0
PAUSE = 0.05
CONSOLE = "/_alight/console"
app = command("demo")


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="The example to run.")] = "birds",
    once: Annotated[bool, typer.Option("--once", help="Stop after the message of every picture.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep everything in this folder [default: a temporary one]", show_default=False
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="0 picks a free one.", min=0, max=65535)] = 0,
) -> None:
    """Run an example: pictures in, messages out."""
    folder = example(name)
    pictures = sorted((folder / "pictures").glob("*.jpg"))
    if not pictures:
        raise AlightError(f"The example {name} has no pictures to show.", "Run the one that has: alight demo birds")
    with _data_folder(data) as place, _interruptible():
        runtime = Runtime(command_line(template_at(folder), None, port, place), place / "demo.log")
        with runtime, _progress() as progress:
            arrived = _Show(runtime, place, progress, SystemClock()).run(pictures)
            if not once and arrived:
                _stay(runtime, arrived)
    if not arrived:
        raise typer.Exit(1)


@dataclass(slots=True)
class Messages:
    """The deliveries that the outbox shows, each reported once, oldest first."""

    door: Door
    seen: set[Any] = field(default_factory=set)

    def new(self) -> list[str]:
        """Texts of messages that were not reported before."""
        found = []
        for item in reversed(self.door.get("outbox", limit=1000).get("deliveries") or []):
            if item.get("id") not in self.seen:
                self.seen.add(item.get("id"))
                found.append(str(item.get("body") or ""))
        return found


class _Show:
    """One run of the demo: start, put, wait."""

    def __init__(self, runtime: Runtime, data: Path, progress: Progress, clock: Clock) -> None:
        self.runtime = runtime
        self.data = data
        self.progress = progress
        self.clock = clock

    def run(self, pictures: list[Path]) -> Messages | None:
        """The messages so far, or None where one did not come in time."""
        task = self.progress.add_task("Starting Alight", total=len(pictures))
        import boto3  # takes as long as the runtime does to start, so both do it at once

        url = self.runtime.wait_ready(START_LIMIT)
        door = open_door(self.data)
        keys = f'eval "$(alight env --data {shlex.quote(str(self.data))})"'
        if door.has_page(CONSOLE):
            _tell(f"Console  {url}{CONSOLE}")
        _tell(f"API      {url}, keys: {keys}\n")
        messages = Messages(door)
        messages.new()
        bucket = str(door.get("outputs")["BucketName"])
        client = boto3.client("s3", **_access(self.data))
        missing = {f"birds/{path.name}": path for path in pictures}
        for key, path in missing.items():
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType="image/jpeg")
        self.progress.update(task, description="Waiting for messages")
        limit = self.clock.monotonic() + MESSAGE_LIMIT
        while missing and self.clock.monotonic() < limit and not self.runtime.has_stopped():
            time.sleep(PAUSE)
            for text in messages.new():
                _tell(text)
                missing.pop(_key_in(text), None)
            self.progress.update(task, completed=len(pictures) - len(missing))
        if not missing:
            return messages
        self._complain(list(missing))
        return None

    def _complain(self, keys: list[str]) -> None:
        err = console(stderr=True)
        err.print(f"No message came for {', '.join(map(plain.line, keys))}.", style="red", markup=False)
        err.print(f"The runtime's last words: {plain.line(self.runtime.last_words())}", markup=False)


def _stay(runtime: Runtime, messages: Messages) -> None:
    """Show further messages until Ctrl-C or SIGTERM."""
    _tell("\nPut a picture of yours under birds/ in the bucket; Ctrl-C stops.")
    while not runtime.has_stopped():
        for text in messages.new():
            _tell(text)
        time.sleep(PAUSE * 10)


def _access(data: Path) -> dict[str, str]:
    """What a boto3 client is told, to speak to the instance on `data`."""
    keys = variables(data)
    return {
        "endpoint_url": keys["AWS_ENDPOINT_URL"],
        "aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
        "region_name": keys["AWS_DEFAULT_REGION"],
    }


def _key_in(text: str) -> str:
    """The object's key in `Bird [birds/card.jpg] is a: ...`."""
    found = re.search(r"\[([^\]]+)\]", text)
    return found[1] if found else ""


@contextmanager
def _data_folder(given: Path | None) -> Iterator[Path]:
    """The folder that was asked for, or one that goes when the demo ends."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    made = Path(tempfile.mkdtemp(prefix="alight-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does, so that its child and its folder go with it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress() -> Iterator[Progress]:
    out = console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        yield progress


def _tell(text: str) -> None:
    sys.stdout.write(plain.text(text) + "\n")
    sys.stdout.flush()
