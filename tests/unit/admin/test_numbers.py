"""Numbers of a request: what is none, or no row's, is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from alight.admin.numbers import positive, whole, wholes
from alight.errors import AlightError
from alight.store.rows import MOST, row_number


def test_what_is_a_number_is_taken() -> None:
    assert whole({"limit": str(MOST)}, "limit", 50) == MOST
    assert whole({}, "limit", 50) == 50
    assert wholes({"ids": [1, "2"]}, "ids") == [1, 2]
    assert wholes({}, "ids") == []
    assert (positive({"rate": "2.5"}, "rate"), positive({}, "rate")) == (2.5, 0.0)


@pytest.mark.parametrize(
    "given", [MOST + 1, "9" * 5000, "x", "", None, [], float("inf")], ids=lambda given: repr(given)[:20]
)
def test_what_is_none_is_refused(given: Any) -> None:
    with pytest.raises(AlightError, match="limit is not a whole number"):
        whole({"limit": given}, "limit", 50)
    with pytest.raises(AlightError, match="ids are not whole numbers"):
        wholes({"ids": [given]}, "ids")


@pytest.mark.parametrize("given", [5, True, {"1": 1}, "12"])
def test_what_is_no_list_of_numbers_is_refused(given: Any) -> None:
    with pytest.raises(AlightError, match="ids are not whole numbers"):
        wholes({"ids": given}, "ids")


@pytest.mark.parametrize("given", ["nan", "inf", -1, 10**400, "x", [1]], ids=lambda given: repr(given)[:20])
def test_what_is_not_from_zero_up_is_refused(given: Any) -> None:
    with pytest.raises(AlightError, match="rate is not a number from 0 up"):
        positive({"rate": given}, "rate")


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), (str(MOST), MOST), (str(MOST + 1), None), ("9" * 5000, None), ("-1", None), ("x", None), ("", None)],
    ids=lambda given: repr(given)[:20],
)
def test_the_number_of_a_row_is_one_or_none(text: str, number: int | None) -> None:
    assert row_number(text) == number
