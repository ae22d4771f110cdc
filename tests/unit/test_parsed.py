"""JSON of strangers: whatever its depth, it is taken or refused, here and by those who walk through it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alight.errors import AlightError
from alight.errors.gateway import SerializationException
from alight.gateway.decode_json import parse_json
from alight.notifications import filter_rules, filters
from alight.parsed import DEEPEST, parsed
from alight.services.logs.patterns import compile_pattern
from alight.stacks.load import parse

#: What YAML nests in another way than JSON.
INDENTED = "".join(" " * depth + "b:\n" for depth in range(600))


def deep(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("text", ['{"a": [1, null]}', b"[]", "[" * DEEPEST + "]" * DEEPEST, '["{[", {}]'])
def test_json_is_taken(text: str | bytes) -> None:
    assert parsed(text) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["", "{", "\ud800", b"\xff", deep(DEEPEST + 1), deep(100_000), "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)]
)
def test_all_else_is_refused_in_one_way(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is one, of whatever kind, is the point
        parsed(text)


def test_many_brackets_are_not_deep() -> None:
    assert len(parsed(json.dumps([[number] for number in range(1000)]))) == 1000


@pytest.mark.parametrize("depth", [DEEPEST + 1, 900, 40_000])
def test_nobody_who_reads_a_strangers_text_ends_at_its_depth(depth: int) -> None:
    policy = {"a": [{"prefix": "x"}]}
    assert not filters.wants(policy, "MessageBody", deep(depth), {})
    array = "[" * depth + "]" * depth
    assert not filters.wants(policy, "MessageAttributes", "", {"a": {"Type": "String.Array", "Value": array}})
    assert not compile_pattern("{ $.a = 2 }")(deep(depth))
    with pytest.raises(filter_rules.PolicyError):
        filter_rules.read_policy(deep(depth), "MessageBody")
    with pytest.raises(SerializationException):
        parse_json(deep(depth).encode())


@pytest.mark.parametrize("text", ["[" * 5000, "A: " + "[" * 400 + "]" * 400, deep(3000), INDENTED])
def test_nor_who_reads_a_template(text: str) -> None:
    with pytest.raises(AlightError, match="nested less deeply"):
        parse(text, Path("template.yaml"))
