"""`alight init`: start an app of your own from an example."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from alight.cli.examples import example
from alight.cli.options import AsJson, command
from alight.cli.terminal import print_json
from alight.errors import AlightError

app = command("init")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".alight", "*.pyc")


@app.command()
def init(
    name: Annotated[
        str, typer.Argument(help="The example: birds, hello, s3-thumbnail, sentiment or sqs-batch.")
    ] = "hello",
    folder: Annotated[Path | None, typer.Argument(help="Where to [default: its name]", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Copy an example app into a new folder."""
    source, target = example(name), folder or Path(name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlightError(f"{target} exists and is not empty.", f"Name another folder: alight init {name} FOLDER")
    shutil.copytree(source, target, ignore=_LEFT_OUT, dirs_exist_ok=True)
    if as_json:
        files = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
        print_json({"example": name, "folder": str(target), "files": files})
    else:
        typer.echo(f"Copied the example {name} to {target}. Run it: alight up {target}")
