"""Expressions that would hold Python's own engine for years, from every door that takes one from a caller."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from alight.errors.logs import InvalidParameterException
from alight.expressions import InvalidExpression, compile_expression
from alight.services.logs.patterns import compile_pattern
from alight.stacks.load import load
from alight.stacks.parameters import values_of
from alight.stacks.patterns import PATIENCE
from alight.stacks.problems import TemplateRefused

#: The longest message of a log.
LONGEST = 256 * 1024
#: An expression, and a piece of text that it cannot decide on soon.
HOSTILE = [
    (r"(a+)+$", "a"),
    (r"(a|a)*$", "a"),
    (r"(a|aa)+$", "a"),
    (r"(.*a){20}$", "a"),
    (r"([a-zA-Z]+)*$", "aB"),
    (r"(a*)*b", "a"),
    (r"(\d+|\d\d+)+x", "1"),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
    (r"(x+x+)+y", "x"),
    (r"(?:a?){30}a{30}", "a"),
    (r"a*a*a*a*a*a*a*a*a*a*b", "a"),
    (r"(\w*\s*)*$", "a "),
    (r".*.*.*.*.*=.*", "x"),
    (r"[^@]*@*[^@]*@*[^@]*@*[^@]*x", "a@"),
]
#: Processor seconds for one expression on one message of the largest size; Python's engine needs more than years.
BOUND = 2.0


def test_no_expression_takes_longer_than_its_text() -> None:
    slowest, count = 0.0, 0
    for pattern, piece in HOSTILE:
        text = (piece * LONGEST)[:LONGEST] + "!"
        for ask in ("search", "match", "fullmatch"):
            before = time.process_time()
            getattr(compile_expression(pattern), ask)(text)
            slowest, count = max(slowest, time.process_time() - before), count + 1
    print(
        f"\n{len(HOSTILE)} hostile expressions, {count} looks at {LONGEST} bytes: the slowest {slowest * 1000:.0f} ms"
    )
    assert slowest < BOUND


@pytest.mark.parametrize("pattern", ["[a-z]+", "^a.c$", r"\d{3}", "a|b", r"[^\s]x?"])
@pytest.mark.parametrize("text", ["", "abc", "xx 123", "b", "aXc", "é1234"])
def test_the_plain_ones_mean_what_they_mean_in_python(pattern: str, text: str) -> None:
    for ask in ("search", "match", "fullmatch"):
        ours, theirs = getattr(compile_expression(pattern), ask), getattr(re.compile(pattern, re.ASCII), ask)
        assert (ours(text) is None) == (theirs(text) is None)


@pytest.mark.parametrize("pattern", ["(", "[", "(?=a)", r"(a)\1", "a{2000}", "*", "(.{1,1000}){1,1000}", "\ud800"])
def test_what_cannot_be_bounded_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidExpression):
        compile_expression(pattern)


# The doors -----------------------------------------------------------------------------------------------------------


def test_filter_patterns_of_logs() -> None:
    """Groups are refused, as on AWS; without them there are powers enough."""
    with pytest.raises(InvalidParameterException):
        compile_pattern("%(a+)+$%")
    hostile = [
        "%a*a*a*a*a*a*a*a*a*a*b%",
        "%.*.*.*.*.*=.*%",
        "{ $.a = %a*a*a*a*a*a*a*a*a*a*b% }",
        "[w = %.*.*.*.*.*=.*%]",
    ]
    text = "a" * LONGEST
    before = time.process_time()
    for pattern in hostile:
        wants = compile_pattern(pattern)
        assert not wants(text)
        assert not wants(f'{{"a": "{text}"}}')
    assert time.process_time() - before < 2 * BOUND


def template(folder: Path, *patterns: str) -> Path:
    """One parameter for each pattern, with its value for a default."""
    path = folder / "template.yaml"
    lines = [
        f"  P{place}: {{Type: String, Default: {'a' * 40 + '!'!r}, AllowedPattern: {pattern!r}}}"
        for place, pattern in enumerate(patterns)
    ]
    path.write_text("\n".join(["Parameters:", *lines, "Resources: {}", ""]))
    return path


def refusals(path: Path) -> list[str]:
    with pytest.raises(TemplateRefused) as caught:
        values_of(load(path), {})
    return [str(problem) for problem in caught.value.problems]


def test_allowed_patterns_of_templates(tmp_path: Path) -> None:
    """Java's look-ahead is known, too: tried in a process of its own, and only for so long."""
    assert values_of(load(template(tmp_path, "(?=.*!)[a!]+", "[a!]+")), {})
    found = refusals(template(tmp_path, "(?=.*x)[a!]+", "[a-z]+", "(?=("))
    assert len(found) == 3
    assert "is no regular expression" in found[2]


def test_hostile_patterns_of_a_template_cost_one_patience_together(tmp_path: Path) -> None:
    path = template(tmp_path, *[f"(?=a)(a+)+${'' if turn else ' '}".strip() for turn in range(20)])
    before = time.monotonic()
    found = refusals(path)
    waited = time.monotonic() - before
    print(f"\n20 hostile patterns of one template: refused after {waited:.1f} s")
    assert len(found) == 20
    assert f"takes longer than {PATIENCE:g} s" in found[0]
    assert all("another expression took too long" in one for one in found[1:])
