"""Shares by weight."""

from __future__ import annotations

from collections import Counter

import pytest

from alight.endpoints.variants import Turns


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([("a", 1.0)], {"a": 10}),
        ([("a", 9.0), ("b", 1.0)], {"a": 9, "b": 1}),
        ([("a", 0.5), ("b", 0.5)], {"a": 5, "b": 5}),
        ([("a", 1.0), ("b", 0.0)], {"a": 10}),
        ([("a", 0.0), ("b", 0.0)], {"a": 5, "b": 5}),
    ],
)
def test_ten_turns_are_shared_by_weight(weights: list[tuple[str, float]], expected: dict[str, int]) -> None:
    turns = Turns(weights)
    assert Counter(turns.next() for _ in range(10)) == expected


def test_the_turns_of_the_rare_one_are_spread() -> None:
    turns = Turns([("a", 2.0), ("b", 1.0)])
    assert [turns.next() for _ in range(6)] == ["a", "b", "a", "a", "b", "a"]
