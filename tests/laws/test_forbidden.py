"""What the package never does: run text as code, unpickle, load YAML with constructors, or hand strings to a shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import pytest

from tests.laws.source import Module, imports, modules

FORBIDDEN_MODULES = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.load",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "asyncio.create_subprocess_shell",
}
FORBIDDEN_ARGUMENTS = {"shell", "allow_pickle"}


def forbidden(found: Sequence[Module]) -> list[str]:
    return [f"{module.name}:{line} {what}" for module in found for line, what in _in_module(module)]


def _in_module(module: Module) -> Iterator[tuple[int, str]]:
    for item in imports(module):
        if item.target.split(".")[0] in FORBIDDEN_MODULES or item.target in FORBIDDEN_CALLS:
            yield item.line, f"imports {item.target}"
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name in FORBIDDEN_CALLS:
            yield node.lineno, f"calls {name}"
        for keyword in node.keywords:
            constant = keyword.value.value if isinstance(keyword.value, ast.Constant) else True
            if keyword.arg in FORBIDDEN_ARGUMENTS and constant:
                yield node.lineno, f"passes {keyword.arg}"


def test_nothing_forbidden_in_the_package() -> None:
    assert forbidden(modules()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "exec(code)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "from yaml import load",
        "subprocess.run(line, shell=True)",
        "subprocess.run(line, shell=flag)",
        "torch.load(path)",
        "numpy.load(path, allow_pickle=True)",
        "os.system('ls')",
    ],
)
def test_what_is_forbidden_is_seen(text: str) -> None:
    assert forbidden([Module("alight.x", text)])


def test_plain_code_passes() -> None:
    assert forbidden([Module("alight.x", "import json\nrun(shell=False)\nmodel.eval()\nyaml.safe_load(text)")]) == []
