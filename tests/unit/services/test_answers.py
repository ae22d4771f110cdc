"""What is read of a model's answer, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alight.services.answers import Guess, read_answer

BIRDS = ("duck", "toucan", "magpie")


@pytest.mark.parametrize(
    ("body", "guesses"),
    [
        (b"[0.1, 0.7, 0.2]", [("toucan", 0.7), ("magpie", 0.2), ("duck", 0.1)]),
        (b"[[0.1, 0.7, 0.2]]", [("toucan", 0.7), ("magpie", 0.2), ("duck", 0.1)]),
        (b'{"predictions": [[0.1, 0.7, 0.2]]}', [("toucan", 0.7), ("magpie", 0.2), ("duck", 0.1)]),
        (b"0.1,0.7,0.2\n", [("toucan", 0.7), ("magpie", 0.2), ("duck", 0.1)]),
        (b"[0.1, 0.9]", [("class 1", 0.9), ("class 0", 0.1)]),
        (b"[-3, 12, 5]", [("toucan", None), ("magpie", None), ("duck", None)]),
        (b"0.9731", [("0.9731", None)]),
        (b"1", [("1", None)]),
        (b'{"label": "POSITIVE", "score": 0.98}', [("POSITIVE", 0.98)]),
        (b'[{"label": "POSITIVE", "score": 0.98}]', [("POSITIVE", 0.98)]),
        (b'{"probabilities": [0.1, 0.7, 0.2], "predicted_label": 1}', [("1", None)]),
        (b'"duck"', [("duck", None)]),
        (b"positive", [("positive", None)]),
        (b"", []),
        (b"[]", []),
        (b"[1, true]", []),
        (b'[{"boxes": []}]', []),
        (b"\xff\xd8\xff", []),
        (b"[" * 100_000, []),
        (b"[NaN, 0.5]", []),
        (b"1" + b"0" * 400, []),
        (b"[1" + b"0" * 400 + b", 0.5]", []),
        (b'{"label": "duck", "score": 1' + b"0" * 400 + b"}", [("duck", None)]),
        (b'{"label": "\\ud83e\\udd86", "score": 1}', [("\U0001f986", 1.0)]),
        (b'{"label": "\\ud83e"}', [("?", None)]),
        (b'"\\udd86"', [("?", None)]),
    ],
)
def test_usual_shapes_are_read(body: bytes, guesses: list[tuple[str, float | None]]) -> None:
    assert list(read_answer(body, BIRDS)) == [Guess(*guess) for guess in guesses]


def test_only_the_likeliest_are_named() -> None:
    found = read_answer(b"[" + b",".join(b"0.%03d" % number for number in range(500)) + b"]")
    assert [guess.label for guess in found] == ["class 499", "class 498", "class 497", "class 496", "class 495"]


@given(some.binary(max_size=200) | some.text(max_size=200).map(str.encode))
def test_no_answer_is_a_fault(body: bytes) -> None:
    read_answer(body, BIRDS)
