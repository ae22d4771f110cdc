"""First step of a template's way: text becomes plain dicts, and every node remembers its line.

`load` reads YAML (with CloudFormation's short tags, `!Ref X` becoming `{"Ref": "X"}`) and JSON; what follows
(`expand`, `resolve`, `apply`) sees plain values only and asks `Template.line` where an error stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from alight.calls import Members
from alight.errors import AlightError
from alight.parsed import parsed

FILE_NAMES = ("template.yaml", "template.yml", "template.json")
Step = str | int
Steps = tuple[Step, ...]

#: An anchor that is used again and again multiplies; no honest template comes near this.
MOST_NODES = 200_000
_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_FUNCTIONS = (
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "ForEach",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
)
_TAGS = {"!Ref": "Ref", "!Condition": "Condition", "!GetAtt": "Fn::GetAtt"} | {f"!{x}": f"Fn::{x}" for x in _FUNCTIONS}


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it was written. `lines` says on which line (from 1) each path into `body` stands.

    `anchored` says that its paths mean files of this machine; those of a template that came over the wire do not.
    """

    path: Path
    body: Members
    lines: Mapping[Steps, int]
    warnings: tuple[str, ...] = ()
    anchored: bool = True

    def line(self, *steps: Step) -> int:
        """The line of `steps`, or of the nearest node above it that was written down."""
        while steps not in self.lines:
            steps = steps[:-1]
        return self.lines[steps]

    def has(self, *steps: Step) -> bool:
        return steps in self.lines

    @property
    def folder(self) -> Path:
        """Where relative paths of the template start."""
        return self.path.parent


def find(path: Path) -> Path:
    """The template file that `path` (a file or its folder) means."""
    if path.is_file():
        return path
    for name in FILE_NAMES:
        if (path / name).is_file():
            return path / name
    if path.is_dir():
        raise AlightError(f"No template in {path}.", f"Expected one of: {', '.join(FILE_NAMES)}.")
    raise AlightError(f"No such template: {path}.")


def load(path: Path) -> Template:
    """Read a template file. Raises `AlightError` with file and line where it cannot be read."""
    path = find(path).resolve()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AlightError(f"{path} cannot be read: {error}.") from None
    return parse(text, path)


def parse(text: str, path: Path, anchored: bool = True) -> Template:
    """`load` for text that is at hand; `path` names it in errors and, where it is `anchored`, is where its relative
    paths start."""
    template = _parse_json(text, path) if text.lstrip().startswith("{") else None
    if template is None:
        body, builder = _compose(text, path)
        template = Template(path, body, builder.lines, tuple(builder.warnings))
    if not isinstance(template.body, dict):
        raise AlightError(f"{path}:1: a template is a mapping with a section Resources.")
    return replace(template, anchored=anchored)


def _parse_json(text: str, path: Path) -> Template | None:
    """JSON is nearly YAML: the values are JSON's own, the lines are those that YAML sees (if it can read it at all)."""
    try:
        body = parsed(text)
    except ValueError:
        return None
    try:
        # YAML does not take tabs between values; JSON's texts never hold a bare one.
        _, builder = _compose(text.replace("\t", " "), path)
    except AlightError:
        return Template(path, body, {(): 1})
    return Template(path, body, builder.lines, tuple(builder.warnings))


def _compose(text: str, path: Path) -> tuple[Any, _Builder]:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        builder = _Builder(path, loader)
        return builder.build(node, ()) if node is not None else {}, builder
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise AlightError(f"{path}:{line}: {error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise AlightError(f"{path}: {error}.") from None
    except RecursionError:
        raise AlightError(f"{path}: a template is nested less deeply.") from None


class _Loader(yaml.SafeLoader):
    """The safe loader without timestamps: `Version: 2012-10-17` of a policy stays text, as on AWS."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if tag != _TIMESTAMP]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Builder:
    """Turns composed nodes into values, writing down lines and warnings on the way."""

    def __init__(self, path: Path, loader: _Loader) -> None:
        self.path = path
        self.loader = loader
        self.lines: dict[Steps, int] = {(): 1}
        self.warnings: list[str] = []
        self._open: set[int] = set()
        self._built = 0

    def build(self, node: yaml.Node, steps: Steps) -> Any:
        self._built += 1
        if id(node) in self._open or self._built > MOST_NODES:
            raise yaml.constructor.ConstructorError(problem="an anchor repeats itself", problem_mark=node.start_mark)
        self.lines.setdefault(steps, node.start_mark.line + 1)
        self._open.add(id(node))
        value = self._short(node, steps) if node.tag.startswith("!") else self._plain(node, steps)
        self._open.discard(id(node))
        return value

    def _short(self, node: yaml.Node, steps: Steps) -> Members:
        name = _TAGS.get(node.tag)
        if name is None:
            problem = f"{node.tag} is not a tag of CloudFormation"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
        value = self._plain(node, (*steps, name))
        if name == "Fn::GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {name: value}

    def _plain(self, node: yaml.Node, steps: Steps) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, steps)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*steps, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, steps: Steps) -> Members:
        self._warn_of_twins(node, steps)
        self.loader.flatten_mapping(node)
        result: Members = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            self._forget((*steps, key))
            self.lines[(*steps, key)] = key_node.start_mark.line + 1
            result[key] = self.build(value_node, (*steps, key))
        return result

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            problem = "a key of a mapping must be plain text"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
        # `2012-10-17:` or `Yes:` as a key stay what was written; CloudFormation's keys are text.
        return str(node.value)

    def _warn_of_twins(self, node: yaml.MappingNode, steps: Steps) -> None:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key, line = self._key(key_node), key_node.start_mark.line + 1
            if key in seen:
                where = ".".join(map(str, (*steps, key)))
                self.warnings.append(f"{self.path}:{line}: {where} stands twice; this one replaces line {seen[key]}.")
            seen[key] = line

    def _forget(self, steps: Steps) -> None:
        """The last of two equal keys wins: nothing of the first one's lines may remain."""
        if steps in self.lines:
            for known in [known for known in self.lines if known[: len(steps)] == steps]:
                del self.lines[known]

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag.startswith("!"):
            return str(node.value)
        return self.loader.construct_object(node)


def canonical(value: Any) -> str:
    """One text per value, whatever the order of keys: what hashes and comparisons are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
