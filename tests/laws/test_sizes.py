"""House sizes: a file fits one reading, a function one screen."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tests.laws.source import Module, modules

FILE_LINES = 400
FUNCTION_LINES = 60
CLASS_LINES = 250


def oversized(found: Sequence[Module]) -> list[str]:
    broken = []
    for module in found:
        lines = module.text.count("\n")
        if lines > FILE_LINES:
            broken.append(f"{module.name} has {lines} lines")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                limit = FUNCTION_LINES
            elif isinstance(node, ast.ClassDef):
                limit = CLASS_LINES
            else:
                continue
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > limit:
                broken.append(f"{module.name}:{node.lineno} {node.name} has {size} lines")
    return broken


def test_files_functions_and_classes_keep_to_house_sizes() -> None:
    assert oversized(modules()) == []


def test_what_is_too_long_is_seen() -> None:
    body = "    x = 1\n"
    assert oversized([Module("alight.x", "x = 1\n" * 401)]) == ["alight.x has 401 lines"]
    assert oversized([Module("alight.x", "async def f():\n" + body * 60)]) == ["alight.x:1 f has 61 lines"]
    assert oversized([Module("alight.x", "class C:\n" + body * 250)]) == ["alight.x:1 C has 251 lines"]
    assert oversized([Module("alight.x", "def f():\n" + body * 59)]) == []
