"""Ranges of text, against Python's own order of UTF-8 bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alight.store.ranges import END, after, behind_prefix

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0/a\U0010ffff\ud7ff\ue000"), max_size=5)


@given(texts, texts)
def test_nothing_lies_between_a_text_and_what_is_after_it(text: str, other: str) -> None:
    assert (other.encode() > text.encode()) == (other.encode() >= after(text).encode())


@given(texts, texts)
def test_a_prefix_and_its_bound_hold_exactly_what_starts_with_it(prefix: str, other: str) -> None:
    for text in (other, prefix + other):
        bound = behind_prefix(prefix)
        below = bound == END or text.encode() < str(bound).encode()
        assert (text.encode() >= prefix.encode() and below) == text.startswith(prefix)
