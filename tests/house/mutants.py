"""How strong the tests of a module are: each small change of its code, and whether a test turns red for it.

    .venv/bin/python -m tests.house.mutants src/alight/events/policy.py tests/unit/events/test_policy.py [MORE ...]

One change at a time: a comparison is turned or moved by one, `and` and `or` are swapped, a condition is inverted, a
number is one more, a truth is a lie, `+` is `-`, `min` is `max`. Each mutant is loaded in place of the module by a
child that runs the tests until the first fails; the source stays as it is. Printed are the changes that nobody noticed,
and the share of those that somebody did. By hand: `make test` does not wait for it.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

#: A mutant that has no end is noticed, too: seconds.
LONGEST = 180

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """The whole module with one change, and what that is."""

    line: int
    what: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    # That a dataclass is frozen is no logic.
    spared = {
        id(part) for node in ast.walk(tree) for word in getattr(node, "decorator_list", []) for part in ast.walk(word)
    }
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in spared:
            continue
        for change in changes(node):
            changed = deepcopy(tree)
            twin = next(other for number, other in enumerate(ast.walk(changed)) if number == place)
            before = ast.unparse(twin) if isinstance(twin, ast.expr) else ast.unparse(twin.test)  # type: ignore[attr-defined]
            change(twin)
            after = ast.unparse(twin) if isinstance(twin, ast.expr) else ast.unparse(twin.test)  # type: ignore[attr-defined]
            yield Mutant(node.lineno, f"{before}  ->  {after}", ast.fix_missing_locations(changed))  # type: ignore[attr-defined]


Change = Callable[[ast.AST], None]


def changes(node: ast.AST) -> Iterator[Change]:
    """What can be made of one node, each a change of its twin in another tree."""
    match node:
        case ast.Compare(ops=[operator]):
            for other in COMPARED[type(operator)]:
                yield _setting("ops", [other()])
        case ast.BoolOp(op=operator):
            yield _setting("op", ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.BinOp(op=operator, left=left) if type(operator) in COMPUTED and not _is_text(left):
            yield _setting("op", COMPUTED[type(operator)]())
        case ast.Constant(value=bool(value)):
            yield _setting("value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield _setting("value", value + 1)
        case ast.If() | ast.IfExp() | ast.While():
            yield _inverted
        case ast.Call(func=ast.Name(id=name)) if name in CALLED:
            yield _setting("func", ast.Name(CALLED[name], ast.Load()))


def _setting(name: str, value: object) -> Change:
    return lambda twin: setattr(twin, name, value)


def _inverted(twin: ast.AST) -> None:
    test = twin.test  # type: ignore[attr-defined]
    is_not = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    twin.test = test.operand if is_not else ast.UnaryOp(ast.Not(), test)  # type: ignore[attr-defined]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


@dataclass
class Instead(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads a mutant where the module is imported."""

    name: str
    path: Path
    text: str

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(self.path)) if fullname == self.name else None

    def get_source(self, fullname: str) -> str:
        return self.text


def noticed(path: Path, mutant: ast.Module, tests: Sequence[str]) -> bool:
    """Whether a test fails. The child has its own output, and ends with all that it began."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        sink = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(sink, number)
        signal.alarm(LONGEST)
        sys.meta_path.insert(0, Instead(module_of(path), path, ast.unparse(mutant)))
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests])))
    status = os.waitpid(pid, 0)[1]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return status != 0


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts[path.parts.index("src") + 1 :])


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path)
    parser.add_argument("tests", nargs="+")
    given = parser.parse_args(words)
    source = given.module.read_text()
    if noticed(given.module, ast.parse(source), given.tests):
        print(f"{given.module}: its tests fail as it is")
        return 1
    began, survived = time.monotonic(), list[Mutant]()
    every = list(mutants(source))
    for mutant in every:
        if not noticed(given.module, mutant.tree, given.tests):
            survived.append(mutant)
            print(f"{given.module}:{mutant.line}: {mutant.what}", flush=True)
    seen = len(every) - len(survived)
    share = seen / max(len(every), 1)
    print(f"{given.module}: {seen} of {len(every)} noticed, {share:.0%}, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
