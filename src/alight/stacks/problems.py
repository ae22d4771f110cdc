"""What is wrong with a template: every finding with file and line, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alight.errors import AlightError
from alight.stacks.load import Step, Template


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding. `where` is the path of names inside the template, joined by points."""

    path: Path
    line: int
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.where}: {self.message}" if self.where else self._bare()

    def _bare(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class TemplateRefused(AlightError):
    """The template cannot be applied as it is; nothing was changed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


def at(template: Template, steps: tuple[Step, ...], message: str) -> Problem:
    """A problem of one node as it was written, or of what it was expanded from."""
    return Problem(template.path, line_of(template, steps), ".".join(map(str, steps)), message)


def line_of(template: Template, steps: tuple[Step, ...]) -> int:
    """The line behind `steps` of the expanded template.

    What the SAM translator added is traced to the resource whose name it begins with (`ThumbRole` of `Thumb`),
    and what it took from Globals to the line there.
    """
    if len(steps) < 2 or steps[0] != "Resources":
        return template.line(*steps)
    logical_id = str(steps[1])
    if template.has(*steps):
        return template.line(*steps)
    if len(steps) > 3 and template.has("Globals", "Function", *steps[3:]):
        return template.line("Globals", "Function", *steps[3:])
    if template.has("Resources", logical_id):
        return template.line(*steps)
    origin = max((name for name in _resources(template) if logical_id.startswith(name)), key=len, default="")
    return template.line("Resources", origin) if origin else template.line("Resources")


def _resources(template: Template) -> list[str]:
    resources = template.body.get("Resources")
    return list(resources) if isinstance(resources, dict) else []
