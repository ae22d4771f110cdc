"""What functions were given and answered, as people see it."""

from __future__ import annotations

import pytest

from alight.admin.story import decoded

DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize(
    ("body", "shown"),
    [(b'{"a": 1}', {"a": 1}), (b"", None), (None, None), (b"no JSON", "no JSON"), (DEEP.encode(), DEEP)],
    ids=["JSON", "nothing", "none", "text", "deep"],
)
def test_what_is_no_json_is_shown_as_text(body: bytes | None, shown: object) -> None:
    assert decoded(body) == shown
