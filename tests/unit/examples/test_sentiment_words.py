"""From a review to counts: the lab's rules one by one, and all of them against a second implementation."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reviews import made_reviews, module, reference, vocabulary

KNOWN = vocabulary()


@pytest.fixture(scope="module")
def words() -> Iterator[ModuleType]:
    with module("words", "src") as loaded:
        yield loaded


@pytest.mark.parametrize(
    ("review", "expected"),
    [
        ("GOOD Film", ["good", "film"]),
        (". ; : ! ' ? , \" ( ) [ ]", []),
        ("don't stop.now [sic] (well)", ["dont", "stopnow", "sic", "well"]),
        ("one<br /><br />two", ["one", "two"]),
        ("one<BR/><br\n/>two", ["one", "two"]),
        ("one<br />two", ["one<br", ">two"]),
        ("well-made 9/10", ["well", "made", "9", "10"]),
        ("a — b…c", ["a", "—", "b…c"]),
        ("ÄRGER İx", ["ärger", "i̇x"]),
        ("tabs\tand\u00a0spaces\n\n", ["tabs", "and", "spaces"]),
        ("", []),
    ],
)
def test_the_labs_rules(words: ModuleType, review: str, expected: list[str]) -> None:
    assert words.review_to_words(review) == expected


def test_counts_are_of_the_vocabulary_alone(words: ModuleType) -> None:
    assert words.bow_encoding(["b", "a", "b", "c"], {"a": 0, "b": 7}) == {0: 1, 7: 2}


SIGNS = ("<br /><br />", "<br/><br  />", "<br />", "-", "/", ".", " ", "[", "é")
PIECES = st.sampled_from([*list(KNOWN)[:40], "Good", "BAD", "zzyzx", "don't", *SIGNS])
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=80).map("".join))


@settings(max_examples=300, deadline=None)
@given(review=TEXTS, apart=st.booleans())
def test_any_text_is_counted_as_by_the_reference(words: ModuleType, review: str, apart: bool) -> None:
    text = review.replace("<", " <") if apart else review
    counts = words.bow_encoding(words.review_to_words(text), KNOWN)
    line = words.Rows(len(KNOWN)).line(counts)
    assert line == ",".join(map(str, reference(text, KNOWN))).encode()


def test_reviews_of_the_vocabulary_are_counted_as_by_the_reference(words: ModuleType) -> None:
    rows = words.Rows(len(KNOWN))
    for review in made_reviews(100):
        counts = words.bow_encoding(words.review_to_words(review), KNOWN)
        assert sum(counts.values()) > 0
        assert rows.line(counts) == ",".join(map(str, reference(review, KNOWN))).encode()


@given(counts=st.dictionaries(st.integers(0, 29), st.integers(1, 2000), max_size=30))
def test_a_line_holds_every_count_in_its_column(words: ModuleType, counts: dict[int, int]) -> None:
    rows = words.Rows(30)
    assert rows.line(counts) == ",".join(str(counts.get(column, 0)) for column in range(30)).encode()
    assert rows.line({}) == b",".join([b"0"] * 30), "a line leaves nothing for the next"
