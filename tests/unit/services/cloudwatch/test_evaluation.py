"""What state an alarm should be in: AWS's own tables of data points that are there and that are missing."""

from __future__ import annotations

import pytest

from alight.services.cloudwatch.evaluation import Datum, Terms, judge, window

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def terms(
    needed: int = 3, periods: int = 3, missing: str = "missing", comparison: str = "GreaterThanThreshold"
) -> Terms:
    return Terms(60, periods, needed, 5.0, comparison, missing)


def points(drawn: str) -> list[Datum | None]:
    """Oldest first, as the tables draw them: `X` breaches, `0` does not, `-` is missing."""
    worth = {"X": 9.0, "0": 1.0}
    return [
        None if mark == "-" else Datum(60 * place, worth[mark]) for place, mark in enumerate(drawn.replace(" ", ""))
    ][::-1]


@pytest.mark.parametrize(
    ("needed", "drawn", "states"),
    [
        (3, "0 - X - X", "OK OK OK OK"),
        (3, "- - - - 0", "OK OK OK OK"),
        (3, "- - - - -", "INSUFFICIENT_DATA kept ALARM OK"),
        (3, "0 X X - X", "ALARM ALARM ALARM ALARM"),
        (3, "- - X - -", "ALARM kept ALARM OK"),
        (2, "0 - X - X", "ALARM ALARM ALARM ALARM"),
        (2, "0 0 X 0 X", "ALARM ALARM ALARM ALARM"),
        (2, "0 - X - -", "OK OK ALARM OK"),
        (2, "- - - - 0", "OK OK ALARM OK"),
        (2, "- - - X -", "ALARM kept ALARM OK"),
        # One young data point is too little to alarm by itself.
        (3, "- - - - X", "kept kept ALARM OK"),
    ],
)
def test_the_tables_of_missing_data(needed: int, drawn: str, states: str) -> None:
    for treatment, expected in zip(TREATMENTS, states.split(), strict=True):
        for state in ("OK", "ALARM", "INSUFFICIENT_DATA"):
            verdict = judge(terms(needed, missing=treatment), points(drawn), state)
            assert verdict.state == (state if expected == "kept" else expected), (treatment, state)


@pytest.mark.parametrize(
    ("comparison", "at", "above", "below"),
    [
        ("GreaterThanThreshold", "OK", "ALARM", "OK"),
        ("GreaterThanOrEqualToThreshold", "ALARM", "ALARM", "OK"),
        ("LessThanThreshold", "OK", "OK", "ALARM"),
        ("LessThanOrEqualToThreshold", "ALARM", "OK", "ALARM"),
    ],
)
def test_comparisons(comparison: str, at: str, above: str, below: str) -> None:
    asked = terms(1, 1, comparison=comparison)
    found = [judge(asked, [Datum(0, value), None, None], "OK").state for value in (5.0, 5.1, 4.9)]
    assert found == [at, above, below]


@pytest.mark.parametrize(
    ("asked", "drawn", "state", "reason"),
    [
        (
            terms(2, 3), "0 X X", "OK",
            "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (01/01/70 00:02:00), 9.0 (01/01/70 00:01:00)] were "
            "greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            terms(1, 1), "0", "ALARM",
            "Threshold Crossed: 1 out of the last 1 datapoint [1.0 (01/01/70 00:00:00)] was not greater than the "
            "threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition).",
        ),
        (terms(1, 1), "-", "OK", "Insufficient Data: 1 datapoint was unknown."),
        (
            terms(2, 2, "breaching"), "- -", "OK",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
            "[Breaching].",
        ),
    ],
)  # fmt: skip
def test_reasons(asked: Terms, drawn: str, state: str, reason: str) -> None:
    assert judge(asked, points(drawn), state).reason == reason


def test_the_window_is_of_whole_minutes_that_are_over() -> None:
    assert window(terms(periods=3), 1_000_000_059.9) == (999_999_720, 1_000_000_020)
