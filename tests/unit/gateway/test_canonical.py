"""The signature's arithmetic against the standard library's."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from alight.gateway.canonical import signature_of


@given(st.binary(max_size=200), st.text(alphabet=st.characters(max_codepoint=255)))
def test_a_signature_is_hmac_sha256(key: bytes, text: str) -> None:
    assert signature_of(key, text) == hmac.digest(key, text.encode("latin-1"), "sha256").hex()
