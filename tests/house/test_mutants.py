"""What is made of a module's code, and that a change which no test would miss is told from one that one does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.mutants import main, mutants

SOURCE = '''
@dataclass(frozen=True)
class Kept:
    most: int = 3

def allowed(count, most):
    """3 < 4"""
    if count > most and count != 0:
        return min(count + 1, 9)
    return "a" + "b"
'''


def test_each_place_is_changed_by_itself() -> None:
    found = [(mutant.line, mutant.what.replace("  ->  ", " -> ")) for mutant in mutants(SOURCE)]
    assert sorted(found) == [
        (4, "3 -> 4"),
        (8, "0 -> 1"),
        (8, "count != 0 -> count == 0"),
        (8, "count > most -> count <= most"),
        (8, "count > most -> count >= most"),
        (8, "count > most and count != 0 -> count > most or count != 0"),
        (8, "count > most and count != 0 -> not (count > most and count != 0)"),
        (9, "1 -> 2"),
        (9, "9 -> 10"),
        (9, "count + 1 -> count - 1"),
        (9, "min(count + 1, 9) -> max(count + 1, 9)"),
    ]
    whole = ast.unparse(ast.parse(SOURCE))
    for mutant in mutants(SOURCE):
        assert sum(one != other for one, other in zip(whole, ast.unparse(mutant.tree), strict=False)), mutant.what


def test_a_change_that_nobody_notices_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A module of two comparisons, one of which is looked at on both sides of its end."""
    home = tmp_path / "src" / "judged"
    home.mkdir(parents=True)
    (home / "__init__.py").touch()
    module, tests = home / "limits.py", tmp_path / "test_limits.py"
    module.write_text("def small(x):\n    return x < 3\n\ndef large(x):\n    return x > 7\n")
    tests.write_text(
        f"import sys\nsys.path.insert(0, {str(home.parent)!r})\n"
        "from judged.limits import large, small\n"
        "def test_them():\n    assert small(2) and not small(3) and large(9) and not large(5)\n"
    )
    assert main([str(module), str(tests)]) == 0
    said = capsys.readouterr().out
    assert f"{module}:5: x > 7  ->  x >= 7" in said
    assert f"{module}:5: 7  ->  8" in said
    assert f"{module}: 4 of 6 noticed, 67%" in said
