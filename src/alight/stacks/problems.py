"""What is wrong with a template: every finding with file and line, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alight.errors import AlightError, Fault
from alight.stacks.load import Step, Template

#: What findings of a template call its file where it came over the wire.
UNANCHORED = Path("template")


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


class ApplyFailed(AlightError):
    """One resource failed (`logical_id`, "" where it was none); those before it stay as they were applied."""

    def __init__(self, message: str, hint: str = "", logical_id: str = "") -> None:
        self.logical_id = logical_id
        super().__init__(message, hint)


def told(error: Exception) -> str:
    """What went wrong with one resource, in one sentence."""
    if isinstance(error, AlightError):
        return error.message
    return f"{error.code}: {error.message}" if isinstance(error, Fault) else f"{type(error).__name__}: {error}"


def at(template: Template, steps: tuple[Step, ...], message: str) -> Problem:
    """A problem of one node as it was written, or of what it was expanded from."""
    return Problem(template.path, line_of(template, steps), ".".join(map(str, steps)), message)


def line_of(template: Template, steps: tuple[Step, ...]) -> int:
    """The line behind `steps` of the expanded template.

    What the SAM translator added is traced to the resource whose name it begins with (`ThumbRole` of `Thumb`),
    and what it took from Globals to the line there.
    """
    if len(steps) < 2 or steps[0] != "Resources" or not isinstance(template.body.get("Resources"), dict):
        return template.line(*steps)
    logical_id = str(steps[1])
    if template.has(*steps):
        return template.line(*steps)
    if len(steps) > 3 and template.has("Globals", "Function", *steps[3:]):
        return template.line("Globals", "Function", *steps[3:])
    if template.has("Resources", logical_id):
        return template.line(*steps)
    origin = max((name for name in template.body["Resources"] if logical_id.startswith(name)), key=len, default="")
    return template.line("Resources", origin) if origin else _line_of_api(template, logical_id)


#: What the translator makes for the events of functions, where the template has no API of its own.
_IMPLICIT = {"ServerlessRestApi": "Api", "ServerlessHttpApi": "HttpApi"}


def _line_of_api(template: Template, logical_id: str) -> int:
    kind = next((kind for name, kind in _IMPLICIT.items() if logical_id.startswith(name)), None)
    for name, resource in template.body["Resources"].items():
        for event, value in ((resource.get("Properties") or {}).get("Events") or {}).items():
            if kind is not None and value.get("Type") == kind:
                return template.line("Resources", name, "Properties", "Events", event)
    return template.line("Resources")
