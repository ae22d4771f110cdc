"""`alight demo EXAMPLE`: a whole walk at one word.

With `--once` it ends with 0 after everything that the example shows, or with 1 where something is missing after a
minute. Without, it stays for pictures and reviews of your own. What is shown stands in `demos/`, a file for each
example.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from alight.cli.demos.birds import Birds
from alight.cli.demos.sentiment import Sentiment
from alight.cli.demos.stage import Demo, Stage
from alight.cli.examples import example, template_at
from alight.cli.options import command
from alight.cli.runtime import Runtime, command_line
from alight.cli.terminal import console
from alight.clock import SystemClock
from alight.errors import AlightError

DEMOS: Mapping[str, Callable[[], Demo]] = {"birds": Birds, "sentiment": Sentiment}
app = command("demo")


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="The example to run: birds or sentiment.")] = "birds",
    once: Annotated[bool, typer.Option("--once", help="Stop after everything that the example shows.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep everything in this folder [default: a temporary one]", show_default=False
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="0 picks a free one.", min=0, max=65535)] = 0,
) -> None:
    """Run an example: pictures in, messages out; or reviews in, answers out."""
    folder = example(name)
    if name not in DEMOS:
        raise AlightError(f"The example {name} has nothing to show by itself.", f"Run it: alight up {folder}")
    show = DEMOS[name]()
    show.check(folder)
    with _data_folder(data) as place, _interruptible():
        runtime = Runtime(command_line(template_at(folder), None, port, place), place / "demo.log")
        with runtime, _progress() as progress:
            stage = Stage(folder, runtime, place, progress, SystemClock())
            complete = show.run(stage)
            if complete and not once:
                show.stay(stage)
    if not complete:
        raise typer.Exit(1)


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
