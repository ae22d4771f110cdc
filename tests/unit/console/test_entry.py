"""Links are good once and for a while; cookies are ours, or they are none."""

from __future__ import annotations

from alight.clock import ManualClock
from alight.console.entry import LINK_SECONDS, MOST_LINKS, SESSION_SECONDS, Entry, admits


def entry(secret: bytes = b"secret") -> tuple[Entry, ManualClock]:
    clock = ManualClock()
    return Entry(secret, clock), clock


def test_a_link_lets_in_once() -> None:
    door, _ = entry()
    link = door.link()
    assert door.knows(link)
    cookie = door.enter(link)
    assert cookie is not None
    assert door.session(cookie) is not None
    assert not door.knows(link)
    assert door.enter(link) is None


def test_an_old_link_and_a_guess_let_nobody_in() -> None:
    door, clock = entry()
    link = door.link()
    clock.advance(LINK_SECONDS)
    assert not door.knows(link)
    assert door.enter(link) is None
    assert door.enter("") is None
    assert door.enter("guess") is None


def test_links_do_not_pile_up() -> None:
    door, _ = entry()
    links = [door.link() for _ in range(MOST_LINKS + 5)]
    assert sum(map(door.knows, links)) == MOST_LINKS
    assert door.knows(links[-1])


def test_a_session_ends_and_outlives_a_restart() -> None:
    door, clock = entry()
    cookie = door.enter(door.link()) or ""
    again = Entry(b"secret", clock)
    assert again.session(cookie) is not None
    clock.advance(SESSION_SECONDS + 1)
    assert door.session(cookie) is None


def test_every_changed_character_makes_a_cookie_worthless() -> None:
    door, _ = entry()
    cookie = door.enter(door.link()) or ""
    for place in range(len(cookie)):
        changed = cookie[:place] + ("x" if cookie[place] != "x" else "y") + cookie[place + 1 :]
        assert door.session(changed) is None
    assert Entry(b"other", door.clock).session(cookie) is None
    for nothing in ("", ".", "..", "a.b.c", f"{cookie}é"):
        assert door.session(nothing) is None


def test_forms_carry_their_own_sessions_token() -> None:
    door, _ = entry()
    one, two = (door.session(door.enter(door.link()) or "") for _ in range(2))
    assert one is not None
    assert two is not None
    assert admits(one, one.token)
    assert not admits(one, two.token)
    assert not admits(one, "")
