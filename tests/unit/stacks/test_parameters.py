from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alight.stacks.load import parse
from alight.stacks.parameters import values_of
from alight.stacks.problems import TemplateRefused

HERE = Path("/app/template.yaml")


def value(declaration: str, given: str | None = None) -> Any:
    template = parse(f"Parameters:\n  P: {declaration}", HERE)
    return values_of(template, {} if given is None else {"P": given})["P"]


@pytest.mark.parametrize(
    ("declaration", "given", "expected"),
    [
        ("{Type: String, Default: x}", None, "x"),
        ("{Type: String, Default: x}", "y", "y"),
        ("{Type: String, Default: ''}", None, ""),
        ("{Type: Number, Default: 0.7}", None, "0.7"),
        ("{Type: Number}", "3", "3"),
        ("{Type: CommaDelimitedList, Default: 'a, b'}", None, ["a", "b"]),
        ("{Type: List<Number>}", "1,2", ["1", "2"]),
        ("{Type: String, Default: true, AllowedValues: [true, false]}", None, "true"),
        ("{Type: AWS::EC2::KeyPair::KeyName}", "key", "key"),
    ],
)
def test_given_or_default(declaration: str, given: str | None, expected: Any) -> None:
    assert value(declaration, given) == expected


@pytest.mark.parametrize(
    ("declaration", "given", "words"),
    [
        ("{Type: String}", None, "needs a value"),
        ("{Default: x}", None, "needs a Type"),
        ("{Type: String, AllowedValues: [a, b]}", "c", "not one of a, b"),
        ("{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: small letters}", "A", "small letters"),
        ("{Type: String, MaxLength: 2}", "abc", "above MaxLength 2"),
        ("{Type: String, MinLength: 2}", "a", "below MinLength 2"),
        ("{Type: Number}", "three", "not a number"),
        ("{Type: Number, MaxValue: 3}", "4", "above MaxValue 3"),
        ("{Type: List<Number>, MinValue: 2}", "2,1", "below MinValue 2"),
        ("{Type: 'AWS::SSM::Parameter::Value<String>', Default: /a}", None, "not offered"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(declaration: str, given: str | None, words: str) -> None:
    with pytest.raises(TemplateRefused, match=words) as told:
        value(declaration, given)
    assert told.value.problems[0].line == 2


def test_all_findings_at_once() -> None:
    template = parse("Parameters:\n  A: {Type: String}\n  B: {Type: Number, Default: x}\n", HERE)
    with pytest.raises(TemplateRefused) as told:
        values_of(template, {"C": "1"})
    assert [problem.line for problem in told.value.problems] == [1, 2, 3]
