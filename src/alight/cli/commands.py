"""All commands by name. A command's module is imported when it is asked for, or for the list of them all."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from alight import __version__
from alight.cli.options import command

#: In the order in which a newcomer meets them.
NAMES = (
    "demo", "init", "up", "plan", "apply", "console", "status", "outputs", "env", "invoke", "logs", "events", "explain",
    "outbox", "models", "doctor", "verify", "backup", "restore",
)  # fmt: skip


class Commands(TyperGroup):
    """The group `alight`, whose commands live in modules of their names."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(NAMES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in NAMES:
            return None
        found = QUICK.get(cmd_name) or importlib.import_module(f"alight.cli.{cmd_name}").app
        made = typer.main.get_command(found)
        made.name = cmd_name
        return made


def _passed_on(name: str, words: str) -> typer.Typer:
    """A command that reads its own words: here only for the list of commands."""
    made = command(name)

    @made.command(
        help=words, add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
    )
    def run(context: typer.Context) -> None:
        raise typer.Exit(importlib.import_module(f"alight.cli.{name}").run(context.args))

    return made


QUICK = {
    "env": _passed_on("env", 'Print variables for AWS tools: eval "$(alight env)".'),
    "up": _passed_on("up", "Run Alight in the foreground, with an app or empty."),
}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"alight {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


@app.callback()
def alight(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """When data alights, models light up: event-driven inference on the AWS wire, on this machine."""


def run(words: Sequence[str]) -> int:
    """Run `alight WORDS` and return its exit code (2 for wrong usage)."""
    try:
        typer.main.get_command(app).main(args=list(words), prog_name="alight")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    return 0
