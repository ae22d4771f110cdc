"""`samconfig.toml` beside the template: the file in which SAM's users keep a stack's name and parameters.

Only what says something about the template is read: `stack_name` and `parameter_overrides` of the environment
`default`, from `deploy` before `global`. Everything else there is about talking to AWS.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alight.errors import AlightError

FILE_NAME = "samconfig.toml"


@dataclass(frozen=True, slots=True)
class SamConfig:
    """`stack` is empty where the file does not name it."""

    stack: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_samconfig(folder: Path) -> SamConfig:
    """What the folder's file says; nothing where there is none. Raises `AlightError` where it cannot be read."""
    path = folder / FILE_NAME
    if not path.is_file():
        return SamConfig()
    try:
        environment = tomllib.loads(path.read_text()).get("default") or {}
        shared, own = (_parameters(environment, command) for command in ("global", "deploy"))
        merged = shared | own
        return SamConfig(str(merged.get("stack_name", "")), _overrides(merged.get("parameter_overrides", [])))
    except (OSError, ValueError, AttributeError) as error:
        raise AlightError(f"{path} cannot be read: {error}.") from None


def _parameters(environment: Mapping[str, Any], command: str) -> dict[str, Any]:
    return dict((environment.get(command) or {}).get("parameters") or {})


def _overrides(given: Any) -> dict[str, str]:
    """`A=b`, or `ParameterKey=A,ParameterValue=b`, in one text or in a list."""
    found = {}
    for item in shlex.split(given) if isinstance(given, str) else given:
        name, equals, value = str(item).removeprefix("ParameterKey=").replace(",ParameterValue=", "=", 1).partition("=")
        if not equals:
            raise ValueError(f"parameter_overrides: {item!r} is not NAME=VALUE")
        found[name] = value.strip("\"'")
    return found
