"""The Runtime API's reader of requests: what comes in one piece is read at once, and no otherwise than byte by byte."""

from __future__ import annotations

import pytest

from alight.functions.wire import Request, RequestReader

LIMIT = 20
NEXT = b"GET /token/next HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"POST /token/response HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
TYPED = b"POST /token/response HTTP/1.1\r\nContent-Type: text/%b\r\nContent-Length: 2\r\n\r\nab"
CHUNKED = b"POST /token/response HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
BOTH = CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-length: 13\r\n\r\n", 1)
EXPECTING = b"POST /token/response HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"

Outcome = tuple[list[tuple[str, str, dict[str, str], bytes, bool]], int, str]


def outcome(pieces: list[bytes]) -> Outcome:
    """The requests, how often the client was told to go on, and what it was refused with."""
    told: list[None] = []
    reader = RequestReader(limit=LIMIT, admit=lambda target: target.startswith("/token/"))
    found: list[Request] = []
    try:
        for piece in pieces:
            found += reader.feed(piece, lambda: told.append(None))
    except (ValueError, PermissionError) as error:
        return _plain(found), len(told), f"{type(error).__name__}: {error}"
    return _plain(found), len(told), ""


def _plain(found: list[Request]) -> list[tuple[str, str, dict[str, str], bytes, bool]]:
    return [(one.method, one.target, dict(one.headers), bytes(one.body), one.too_large) for one in found]


@pytest.mark.parametrize(
    ("sent", "requests"),
    [
        (NEXT, 1),
        (NEXT + NEXT, 2),
        (ANSWER % 4 + b"body", 1),
        (ANSWER % 4 + b"body" + NEXT, 2),
        (ANSWER % 4 + b"bod", 0),
        (ANSWER % 0, 1),
        (ANSWER % LIMIT + b"x" * LIMIT, 1),
        (ANSWER % (LIMIT + 1) + b"x" * (LIMIT + 1), 1),
        (ANSWER % -1 + b"b", 0),
        (CHUNKED, 1),
        (BOTH, 1),
        (EXPECTING, 1),
        (b"GET /other/next HTTP/1.1\r\nHost: a\r\n\r\n", 0),
        (b"GET /token/next HTTP/1.1\r\nno colon\r\n\r\n", 0),
        (b"GET  /token/next HTTP/1.1\r\n\r\n", 0),
        (b"GET /token/next HTTP/2\r\n\r\n", 0),
        (b"GET /token/next HTTP/1.1\r\n\r\n", 1),
        (b"\r\n\r\n", 0),
    ],
)
def test_one_piece_and_many_are_read_alike(sent: bytes, requests: int) -> None:
    whole = outcome([sent])
    assert whole == outcome([bytes([byte]) for byte in sent])
    assert len(whole[0]) == requests


def test_heads_that_are_known_by_heart_are_those_of_their_own_requests() -> None:
    sent = [ANSWER % size + b"x" * size for size in (*range(LIMIT), 3, 7)]
    found, _, _ = outcome(sent)
    assert [(headers["content-length"], len(body)) for _, _, headers, body, _ in found] == [
        (str(size), size) for size in (*range(LIMIT), 3, 7)
    ]


def test_heads_of_one_length_are_not_taken_for_each_other() -> None:
    found, _, _ = outcome([TYPED % kind for kind in (b"a", b"b", b"a")])
    assert [headers["content-type"] for _, _, headers, _, _ in found] == ["text/a", "text/b", "text/a"]


def test_a_question_that_is_known_by_heart_is_found_behind_an_answer() -> None:
    found, _, _ = outcome([NEXT, *[ANSWER % 4 + b"body" + NEXT] * 3])
    assert [method for method, *_ in found] == ["GET", *["POST", "GET"] * 3]
    assert {body for method, _, _, body, _ in found if method == "POST"} == {b"body"}
