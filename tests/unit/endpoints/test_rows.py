"""Text -> 32-bit numbers: the quick ways give what Python's own float and numpy's rounding give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.endpoints.models import rows

NUMBERS = st.one_of(
    st.integers(0, 9).map(str),
    st.integers(0, 10**11).map(str),
    st.integers(-1000, 1000).map(str),
    st.floats(-1e30, 1e30).map(repr),
    st.floats(-10, 10, width=32).map(lambda value: f"{value:.3f}"),
    st.sampled_from(["", "nan", "NaN", " 7", "1e-50", "007", "+3"]),
)


def plainly(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    cells = [[float(cell or "nan") for cell in line.split(",")] for line in text.split("\n")]
    return np.array(cells, np.float64).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=1)))
def test_csv_is_read_as_python_reads_it(table: list[list[str]]) -> None:
    table = [["0" if cell.strip() == "" else cell for cell in row[:1]] + row[1:] for row in table]
    table[-1][-1] = "5"
    if len(table[0]) == 1:
        table = [[*row, "1"] for row in table]
    text = "\n".join(",".join(row) for row in table)
    for ending in ("", "\n"):
        found = rows.from_csv((text + ending).encode())
        assert found.dtype == np.float32
        assert np.array_equal(found, plainly(text.strip()), equal_nan=True)
    assert np.array_equal(rows.from_csv(text.replace("\n", "\r\n").encode()), found, equal_nan=True)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), min_size=1, max_size=6))
def test_whole_numbers_are_exact_or_left_to_the_other_way(table: list[list[int]]) -> None:
    body = "\n".join(",".join(map(str, row)) for row in table).encode()
    assert np.array_equal(rows.from_csv(body), np.array(table, np.float64).astype(np.float32))
    quick = rows._whole_numbers(body)
    assert (quick is None) == any(value >= 10**7 for row in table for value in row)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 10), min_size=3, max_size=3), min_size=1, max_size=6))
def test_single_digits_are_read_at_once(table: list[list[int]]) -> None:
    body = "\n".join(",".join(map(str, row)) for row in table).encode()
    assert np.array_equal(rows.from_csv(body), np.array(table, np.float32))
    assert (rows._single_digits(body) is None) == any(10 in row for row in table)


@pytest.mark.parametrize("body", [b"1,2\n3", b"1,2\n3,4,5\n6", b"1\n2,3", b"1,2,3\n4\n5,6,7,8,9"])
def test_ragged_whole_numbers_are_no_table(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"line 2 has \d values"):
        rows.from_csv(body)
