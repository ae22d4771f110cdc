"""Reading the house's own source for the law tests: modules as syntax trees, imports as facts.

Every law is a function from modules (or text) to a list of violations, so that each can be shown a bad snippet.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "alight"


@dataclass(frozen=True)
class Module:
    """One module of the package: its dotted name, its text and its tree."""

    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        """`gateway` for alight.gateway.wire; the package's own `__init__` is room "alight"."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class Import:
    """`target` is a module or a name in one; `inside` is the function that holds the statement, or empty."""

    target: str
    line: int
    inside: str


@cache
def modules(package: Path = PACKAGE) -> Sequence[Module]:
    """Every module under `package`, by name; read once, whatever asks."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found.append(Module(name, path.read_text(), is_package))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """All import statements, wherever they stand; `from a import b` counts as `a.b`."""
    yield from _imports(module, module.tree, "")


def _imports(module: Module, node: ast.AST, inside: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, inside)
        elif isinstance(child, ast.ImportFrom):
            base = _base(module, child)
            for alias in child.names:
                yield Import(f"{base}.{alias.name}", child.lineno, inside)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imports(module, child, getattr(child, "name", "lambda"))
        else:
            yield from _imports(module, child, inside)


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    keep = len(parts) - node.level + (1 if module.is_package else 0)
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])
