"""What a model answers, as the page of its endpoint shows it."""

from __future__ import annotations

import pytest

from alight.console.answers import COLUMNS, ROWS, Readable, readable
from alight.services.answers import Guess


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        (b"[0.1, 0.9]", "application/json", Readable((Guess("b", 0.9), Guess("a", 0.1)))),
        (b"0.25\n", "text/csv", Readable((Guess("0.25", None),))),
        (b"0.1, 2\n\n0.3,4\n", "text/csv; charset=utf-8", Readable(rows=(("0.1", "2"), ("0.3", "4")))),
        (b"yes", "text/plain", Readable((Guess("yes", None),))),
        (b"word " * 60, "text/plain", Readable(text="word " * 60)),
        (
            b'{"deep": [{"a": 1}]}',
            "application/json",
            Readable(text='{\n  "deep": [\n    {\n      "a": 1\n    }\n  ]\n}'),
        ),
        (b"\xff\xd8", "image/jpeg", Readable()),
    ],
)
def test_an_answer_is_shown_as_what_it_is(body: bytes, kind: str, shown: Readable) -> None:
    assert readable(body, kind, ("a", "b")) == shown


def test_a_long_table_is_cut_and_says_so() -> None:
    shown = readable(b"\n".join([b",".join([b"1"] * 99)] * 120), "text/csv", ())
    assert (len(shown.rows), len(shown.rows[0]), shown.more) == (ROWS, COLUMNS, 120 - ROWS)


def test_what_only_claims_to_be_csv_is_a_text() -> None:
    assert readable(b'"' + b"x" * 200_000 + b"\nb", "text/csv", ()).rows == ()
