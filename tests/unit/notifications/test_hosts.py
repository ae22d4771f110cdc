"""Hosts that have stopped answering are left alone for a while, and tried by one delivery; others lose no attempt."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from aiohttp import web

from alight.clock import ManualClock
from alight.notifications.hosts import FAILURES, FIRST_WAIT, JITTER, LONGEST_WAIT, host_of
from alight.notifications.lanes import Ending, Lanes
from alight.notifications.message import Message
from alight.notifications.outbox import Outbox
from tests.unit.notifications.conftest import OpenHouse
from tests.unit.notifications.receiver import receiver
from tests.unit.notifications.test_outbox import known_webhook

ONE, OTHER = "https://example.org/one", "https://user:secret@example.org/other"


def failing(chance: float = 0.0) -> Lanes:
    """Lanes whose host has just failed too often, at the moment 0."""
    lanes = Lanes(chance=lambda: chance)
    for _ in range(FAILURES):
        assert lanes.take(ONE, 0)
        lanes.end(ONE, Ending.FAILED, 0)
    return lanes


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (ONE, "example.org:443"),
        (OTHER, "example.org:443"),
        ("http://example.org/x", "example.org:80"),
        ("http://[::1]:8080/x", "::1:8080"),
        ("http://example.org:99999999/", "http://example.org:99999999/"),
        ("someone@example.org", "the mail server"),
        ("+4915112345678", "the SMS gateway"),
        ("arn:aws:sqs:us-east-1:000000000000:letters", ""),
    ],
)
def test_whose_failure_it_is(target: str, host: str) -> None:
    assert host_of(target) == host


def test_all_addresses_of_a_host_wait_and_one_delivery_tries() -> None:
    lanes = failing()
    assert not lanes.may_start(ONE, FIRST_WAIT - 0.1)
    assert not lanes.may_start(OTHER, FIRST_WAIT - 0.1)
    assert lanes.blocked(0) == sorted([ONE, OTHER]), "what was refused is not looked at again and again"
    assert lanes.may_start("https://example.com/", 0)
    assert (lanes.opens(0), lanes.silent()) == (FIRST_WAIT, 1)
    assert lanes.take(OTHER, FIRST_WAIT)
    assert not lanes.may_start(ONE, FIRST_WAIT), "two deliveries try it"


def test_waits_grow_from_five_seconds_to_a_minute_and_are_drawn_out_by_a_fifth() -> None:
    for chance, waits in ((0.0, [5, 10, 20, 40, 60, 60]), (1.0, [6, 12, 24, 48, 72, 72])):
        lanes, now, found = failing(chance), 0.0, []
        for _ in waits:
            opens = lanes.opens(now)
            assert opens is not None
            found.append(opens - now)
            now = opens
            assert lanes.take(ONE, now)
            lanes.end(ONE, Ending.FAILED, now)
        assert found == pytest.approx(waits)


def test_of_two_silent_hosts_the_first_that_may_be_tried_is_waited_for() -> None:
    lanes, late = failing(), "https://example.com/"
    for _ in range(FAILURES):
        assert lanes.take(late, 3)
        lanes.end(late, Ending.FAILED, 3)
    assert (lanes.opens(0), lanes.silent()) == (FIRST_WAIT, 2)
    assert lanes.opens(FIRST_WAIT) == 3 + FIRST_WAIT


def test_a_success_lets_all_go_on_and_a_refusal_is_an_answer() -> None:
    for ending in (Ending.SENT, Ending.REFUSED):
        lanes = failing()
        assert lanes.take(ONE, FIRST_WAIT)
        lanes.end(ONE, ending, FIRST_WAIT)
        assert lanes.may_start(OTHER, FIRST_WAIT)
        assert (lanes.silent(), lanes.waits(ONE, FIRST_WAIT)) == (0, "")


def test_waits_double_to_a_minute_and_are_drawn_out() -> None:
    for chance in (0.0, 1.0):
        lanes, now, waits = failing(chance), 0.0, []
        for _ in range(6):
            moment = lanes.opens(now)
            assert moment is not None
            waits.append(moment - now)
            now = moment
            assert lanes.take(ONE, now)
            lanes.end(ONE, Ending.FAILED, now)
        share = 1 + JITTER * chance
        assert waits == pytest.approx([wait * share for wait in (5, 10, 20, 40, LONGEST_WAIT, LONGEST_WAIT)])


def test_who_tries_is_alone_and_what_began_before_opens_nothing_anew() -> None:
    lanes = Lanes(chance=lambda: 0.0)
    for target in (ONE, OTHER):
        assert lanes.take(target, 0)
        lanes.end(target, Ending.SENT, 0)
    assert lanes.take(OTHER, 0)
    for _ in range(FAILURES):
        assert lanes.take(ONE, 0)
        lanes.end(ONE, Ending.FAILED, 0)
    # One that began before is still under way: nobody tries beside it.
    assert not lanes.may_start(ONE, FIRST_WAIT)
    lanes.end(OTHER, Ending.FAILED, FIRST_WAIT)
    assert lanes.may_start(ONE, FIRST_WAIT), "its failure is no news"


def test_what_is_wrong_in_this_house_says_nothing_of_a_host() -> None:
    lanes = Lanes()
    for _ in range(FAILURES * 2):
        assert lanes.take(ONE, 0)
        lanes.end(ONE, Ending.OURS, 0)
    assert lanes.silent() == 0
    lanes = failing()
    assert lanes.take(ONE, FIRST_WAIT)
    lanes.end(ONE, Ending.OURS, FIRST_WAIT)
    assert lanes.may_start(OTHER, FIRST_WAIT), "the next one tries"
    for _ in range(FAILURES * 2):
        assert lanes.take("arn:aws:sqs:us-east-1:000000000000:letters", 0)
        lanes.end("arn:aws:sqs:us-east-1:000000000000:letters", Ending.FAILED, 0)
    assert lanes.silent() == 1


def test_it_says_why_without_passwords() -> None:
    lanes = failing()
    assert lanes.waits(OTHER, 1.0) == (
        "example.org:443 has failed 5 times in a row: one delivery tries it in 4 s, the others wait and lose no attempt"
    )
    assert lanes.take(ONE, FIRST_WAIT)
    assert "one delivery is trying it now" in lanes.waits(OTHER, FIRST_WAIT)


def _failed(outbox: Outbox, target: str, number: int) -> bool:
    """Whether its host has failed so often, and nobody tries it now."""
    return f"failed {number} times in a row: one delivery tries it in" in outbox.waits(target)


async def test_an_outage_costs_no_message_and_nobody_storms(open_house: OpenHouse) -> None:
    """C10: a host is down for an hour while 80 deliveries wait for it; then it hears each of them once."""
    clock, down = ManualClock(), [True]

    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        return web.Response(status=503 if down[0] else 200)

    house = await open_house(clock=clock)
    async with receiver(answer) as got:
        topic = await house.topic()
        await known_webhook(house, topic, got.url)
        await house.database.write(
            lambda tx: [house.room.topics.publish(tx, Message(topic, f"{number}")) for number in range(79)]
        )
        outbox, store = house.room.outbox, house.room.store
        for number in range(FAILURES, FAILURES + 50):
            await house.until(partial(_failed, outbox, got.url, number))
            clock.advance(LONGEST_WAIT * (1 + JITTER))
        await house.until(partial(_failed, outbox, got.url, FAILURES + 50))
        tries = len(got.requests)
        attempts = Counter(delivery.attempts for delivery in house.deliveries())
        print(f"\nan hour: {tries} requests for 80 deliveries, attempts {dict(sorted(attempts.items()))}")
        assert tries == FAILURES + 50
        assert "in a row" in outbox.waits(got.url)
        assert store.counts()["ready"] > 70
        down[0] = False
        clock.advance(LONGEST_WAIT * (1 + JITTER))
        await house.until(lambda: store.counts()["sent"] == 80)
        assert {name: count for name, count in store.counts().items() if count} == {"sent": 80}
        assert (outbox.waits(got.url), outbox.silent()) == ("", 0)
        assert len(got.requests) == tries + 80
