"""What a minute's values come to: statistics are exact, percentiles right to half a percent, rows bounded."""

from __future__ import annotations

import random

import pytest

from alight.store import minutes
from alight.store.minutes import Tally, minute_of, tally_of


def tally(*values: float) -> Tally:
    made = Tally()
    for value in values:
        made.add(value)
    return made


def test_statistics_are_exact_and_add_up() -> None:
    one, other = tally(1.23456, 7), tally(-3)
    one.merge(other)
    assert (one.count, one.sum, one.low, one.high) == (3, 1.23456 + 7 - 3, -3, 7)
    again = tally_of(one.count, one.sum, one.low, one.high, one.spread_text())
    assert again == one


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1), (0.01, 1), (0.5, 50), (0.505, 51), (0.9, 90), (0.99, 99), (0.999, 100), (1, 100)]
)
def test_percentiles_are_the_value_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    assert tally(*range(1, 101)).percentile(share) == expected


def test_percentiles_are_right_to_half_a_percent_whatever_the_size() -> None:
    drawn = sorted(random.Random(4).lognormvariate(0, 4) for _ in range(2_001))
    for share in (0.1, 0.5, 0.99):
        exact = drawn[round(share * 2_001 + 0.5) - 1]
        assert tally(*drawn).percentile(share) == pytest.approx(exact, rel=0.006)


def test_a_percentile_does_not_leave_the_values() -> None:
    assert tally(123.456).percentile(0.5) == pytest.approx(123.456)
    assert Tally().percentile(0.5) is None


def test_of_statistics_there_is_no_percentile() -> None:
    mixed = tally(1, 2)
    mixed.take(10, 100, 5, 20)
    assert (mixed.count, mixed.percentile(0.5)) == (12, None)


def test_a_row_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    many = tally(*(number / 7 for number in range(1, 200_000, 3)))
    kept = tally_of(many.count, many.sum, many.low, many.high, many.spread_text())
    assert len(kept.spread) <= minutes.MOST_DIFFERENT
    assert sum(kept.spread.values()) == many.count
    assert kept.percentile(0.5) == pytest.approx(many.percentile(0.5), rel=0.06)


def test_minutes_begin_at_full_minutes() -> None:
    assert [minute_of(moment) for moment in (0, 59.9, 60, 1_700_000_000)] == [0, 0, 60, 1_699_999_980]
