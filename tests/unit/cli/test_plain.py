"""Nothing that somebody stored can move the cursor of somebody who looks at it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from alight.cli import plain


def test_control_characters_are_shown_not_obeyed() -> None:
    assert plain.line("a\x1b[31mred\r\nb\x07") == "a\\x1b[31mred\\x0d\\x0ab\\x07"
    assert plain.line("x\u202egnp.exe") == "x\\u202egnp.exe"
    assert plain.text("one\ntwo\t\x9b31m\rz") == "one\ntwo\t\\x9b31m\\x0dz"


def test_ordinary_text_stays() -> None:
    assert plain.line("pássaro 鳥 [birds/card.jpg] (0.98)") == "pássaro 鳥 [birds/card.jpg] (0.98)"


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_control_character_is_left(text: str) -> None:
    shown = plain.line(text)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in shown)
    shown.encode()
