"""Text of rows -> 32-bit numbers, as the SageMaker XGBoost container reads them: `text/csv` and `text/libsvm`.

CSV: the delimiter is guessed from the first line (comma, tab, semicolon, space, colon, in this order), an empty cell
and `nan` are missing values, there is no header. Rows of whole numbers, as bags of words are, take a way of their own
that costs a tenth, and those of single digits one that costs a quarter of that. LIBSVM: an optional label, then
`index:value` pairs, indices as they stand; what is absent is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: Whole numbers of so many digits are exact in 32 bits.
MAX_DIGITS = 7
_PREFERRED = ",\t; :"
_WHOLE = b"0123456789,\n"
_COMMA, _NEWLINE, _ZERO = ord(","), ord("\n"), ord("0")


@dataclass(frozen=True, slots=True)
class Sparse:
    """`values[k]` stands at line `lines[k]`, column `columns[k]`; everything else is missing."""

    height: int
    width: int
    lines: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: Floats


def from_csv(body: bytes) -> Floats:
    """An array of rows. Raises `ValueError` with the first thing that is wrong."""
    plain = body.rstrip(b"\n")
    found = _single_digits(plain)
    if found is None:
        found = _whole_numbers(plain)
    return _any_numbers(body) if found is None else found


def from_libsvm(body: bytes) -> Sparse:
    """Raises `ValueError` with the first thing that is wrong."""
    lines: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    text = body.strip().decode("utf-8").split("\n")
    for number, line in enumerate(text):
        for item in line.split():
            index, colon, value = item.partition(":")
            if not colon:
                continue  # the label
            if not (index.isascii() and index.isdigit()):
                raise ValueError(f"line {number + 1}: {item[:40]!r} is not index:value")
            lines.append(number)
            columns.append(int(index))
            values.append(_number(value, number))
    if not values:
        raise ValueError("there is no index:value pair in it")
    return Sparse(
        height=len(text),
        width=max(columns) + 1,
        lines=np.array(lines, np.int64),
        columns=np.array(columns, np.int64),
        values=_narrow(np.array(values, np.float64)),
    )


def _single_digits(body: bytes) -> Floats | None:
    """Rows of which every cell is one digit: each second byte is a cell. None where the body is anything else."""
    digits, between = body[::2], body[1::2]
    if len(body) % 2 == 0 or not digits.isdigit():
        return None
    width = between.find(b"\n") + 1 or len(digits)
    height, rest = divmod(len(digits), width)
    if rest or between + b"\n" != (b"," * (width - 1) + b"\n") * height:
        return None
    values: Floats = (np.frombuffer(digits, np.uint8) - _ZERO).astype(np.float32)
    return values.reshape(height, width)


def _whole_numbers(body: bytes) -> Floats | None:
    """Rows of nothing but digits and commas, all cells at once; None where the body is anything else."""
    if not body or body[:256].translate(None, _WHOLE) or body.translate(None, _WHOLE):
        return None
    letters = np.frombuffer(body, np.uint8)
    ends = np.append(np.flatnonzero(letters < _ZERO), len(letters))  # comma and newline are below the digits
    lengths = np.diff(ends, prepend=-1) - 1
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 1 or longest > MAX_DIGITS:
        return None
    digits = letters - _ZERO
    values: Floats = digits[ends - 1].astype(np.float32)
    for place in range(2, longest + 1):
        longer = np.flatnonzero(lengths >= place)
        values[longer] += digits[ends[longer] - place] * np.float32(10 ** (place - 1))
    height = body.count(b"\n") + 1
    if height == 1:
        return values[np.newaxis]
    last_in_line = np.flatnonzero(letters[ends[:-1]] == _NEWLINE)
    width, rest = divmod(len(values), height)
    if rest or (last_in_line != np.arange(1, height) * width - 1).any():
        return None
    return values.reshape(height, width)


def _any_numbers(body: bytes) -> Floats:
    lines = [line.rstrip("\r") for line in body.strip().decode("utf-8").split("\n")]
    delimiter = _delimiter(lines[0][:512])
    width = lines[0].count(delimiter) + 1
    for number, line in enumerate(lines[1:], 2):
        if line.count(delimiter) != width - 1:
            raise ValueError(f"line {number} has {line.count(delimiter) + 1} values, the first has {width}")
    values = _plain_numbers(lines, delimiter)
    if values is None or values.shape != (len(lines), width):
        values = np.array(
            [_number(cell or "nan", at) for at, line in enumerate(lines) for cell in line.split(delimiter)]
        )
    return _narrow(values).reshape(len(lines), width)


def _plain_numbers(lines: list[str], delimiter: str) -> NDArray[np.float64] | None:
    """By numpy's own reader, which is twice as fast, but knows no empty cells and skips empty lines."""
    try:
        return np.loadtxt(lines, np.float64, delimiter=delimiter, comments=None, ndmin=2)
    except ValueError:
        return None


def _delimiter(line: str) -> str:
    if not line:
        raise ValueError("there are no values in it")
    for preferred in _PREFERRED:
        if preferred in line:
            return preferred
    most = max(line, key=lambda letter: (line.count(letter), letter))
    return "," if most.isalnum() else most


def _number(cell: str, line: int) -> float:
    try:
        if "_" not in cell:
            return float(cell)
    except ValueError:
        pass
    hint = " (a header row? send the rows alone)" if line == 0 else ""
    raise ValueError(f"line {line + 1}: {cell[:40]!r} is not a number{hint}")


def _narrow(values: NDArray[np.float64]) -> Floats:
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if np.isinf(narrow).any():
        raise ValueError("it holds infinity, or a value beyond 32 bits")
    return narrow
