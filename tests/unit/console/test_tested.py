"""The box for a test's event, and what is shown of the answer: whatever stands in either."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException

from alight.console.pages import functions

DEEP = "[" * 100_000 + "]" * 100_000


def test_an_event_is_sent_as_it_was_meant() -> None:
    assert functions.event_of(' {"key": "w\u00fcrzburg"}\n') == b'{"key": "w\\u00fcrzburg"}'


@pytest.mark.parametrize("text", ["", "{", DEEP, "[" * 5_000], ids=["nothing", "half", "deep", "deep half"])
def test_what_is_no_event_is_refused_in_words(text: str) -> None:
    with pytest.raises(HTTPException, match="The event is not JSON") as refused:
        functions.event_of(text)
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    ("payload", "shown"),
    [(b'{"a":1}', '{\n  "a": 1\n}'), (b"no JSON \xff", "no JSON \ufffd"), (DEEP.encode(), DEEP)],
    ids=["JSON", "none", "deep"],
)
def test_an_answer_is_shown_whatever_it_is(payload: bytes, shown: str) -> None:
    assert functions.tested({"Payload": payload}) == {"failed": "", "payload": shown, "log": ""}
