"""The accountant notices what it is there for: each difference between the ledgers, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.crash.accountant import CHANNELS, Books, Event, Ledger, Terms, balance

KEYS = ("one", "two", "unanswered")

Lines = list[dict[str, Any]]


def written(folder: Path) -> Lines:
    """The books of a run in which all went well: two answered, one not, which is an event all the same."""
    books = Books(folder / "books")
    for key in KEYS:
        books.note("ask", key=key)
        books.note("attempt", key=key, event=f"id-{key}")
        for channel in CHANNELS:
            books.arrive(channel, "" if channel == "sms" else f"m-{key}", f"{key} id-{key} word-{key} and more")
        if key != "unanswered":
            books.note("answer", key=key, status=200)
    books.close()
    return books.lines()


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return written(tmp_path)


def ledger(**changed: Any) -> Ledger:
    events = [Event(f"id-{key}", key, "succeeded", 1) for key in KEYS]
    deliveries = [(f"id-{key}", channel, "sent", False) for key in KEYS for channel in CHANNELS]
    return replace(Ledger(events, deliveries, set(KEYS)), **changed)


def without(lines: Lines, kind: str, key: str, **more: str) -> Lines:
    return [line for line in lines if not (more | {"kind": kind, "key": key}).items() <= line.items()]


def test_what_balances(lines: Lines) -> None:
    found = balance(lines, ledger())
    assert found.wrong == []
    assert (found.numbers["answered with 200"], found.numbers["events"], found.numbers["arrivals"]) == (2, 3, 9)
    assert found.table(7).splitlines()[1].split() == ["|", "seed", "|", "7", "|"]


def test_a_lost_event(lines: Lines) -> None:
    rest = ledger(events=ledger().events[1:], deliveries=ledger().deliveries[3:], objects={"two", "unanswered"})
    found = balance(without(without(lines, "attempt", "one"), "arrival", "one"), rest)
    assert found.wrong == ["one was answered with 200 and has no event"]
    assert found.numbers["answered, and lost"] == 1


def test_a_doubled_event(lines: Lines) -> None:
    twice = [Event("id-again", "one", "dead", 1), *ledger().events]
    assert balance(lines, ledger(events=twice)).wrong == ["one is 2 events"]


def test_an_object_without_event_and_an_event_without_object(lines: Lines) -> None:
    found = balance(lines, ledger(objects={"one", "two", "more"}))
    assert found.wrong == ["more is an object without its event", "unanswered is an event without its object"]


@pytest.mark.parametrize("state", ["pending", "running"])
def test_a_stuck_event(lines: Lines, state: str) -> None:
    found = balance(lines, ledger(events=[Event("id-one", "one", state, 1), *ledger().events[1:]]))
    assert found.wrong == [f"one is stuck: {state}"]
    assert found.numbers["stuck"] == 1


def test_attempts_that_nobody_leased_or_that_never_were(lines: Lines) -> None:
    attempt = next(line for line in lines if line["kind"] == "attempt")
    assert balance([*lines, attempt], ledger()).wrong == ["one was worked on 2 times with 1 leases"]
    missing = balance(without(lines, "attempt", "two"), ledger())
    assert missing.wrong == ["two succeeded, and no handler has worked on it"]
    assert balance([*lines, attempt | {"event": "other"}], ledger()).wrong == [
        "event other was worked on and is not in the journal"
    ]


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_that_was_not_told(lines: Lines, channel: str) -> None:
    found = balance(without(lines, "arrival", "one", channel=channel), ledger())
    assert found.wrong == [f"one succeeded, and {channel} was not told"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_two_messages_of_one_event(lines: Lines, channel: str) -> None:
    [arrival] = [line for line in lines if line.get("channel") == channel and line["key"] == "one"]
    other = arrival | {"id": "m-other", "word": "other"}
    flagged = [("id-one", channel, "sent", True), *ledger().deliveries]
    found = balance([*lines, other], ledger(deliveries=flagged))
    assert found.wrong == [f"one was told to {channel} under 2 keys"]
    assert found.numbers["told under two keys"] == 1


def test_one_message_twice_is_a_defect_unless_it_is_flagged(lines: Lines) -> None:
    again = [*lines, next(line for line in lines if line["kind"] == "arrival")]
    found = balance(again, ledger())
    assert found.wrong == ["one was told to webhook 2 times, and none is flagged"]
    assert found.numbers["repeats of one key, not flagged"] == 1
    flagged = balance(again, ledger(deliveries=[("id-one", "webhook", "sent", True), *ledger().deliveries]))
    assert flagged.wrong == []
    assert flagged.numbers["repeats of one key, flagged as uncertain"] == 1


def test_a_delivery_that_is_still_on_its_way(lines: Lines) -> None:
    waiting = [*ledger().deliveries[1:], ("id-one", "webhook", "sending", False)]
    assert balance(lines, ledger(deliveries=waiting)).wrong == ["a webhook for id-one is sending"]
    # A phone without a gateway, which nobody looks at.
    assert balance(lines, ledger(deliveries=waiting), Terms(channels=("email", "sms"))).wrong == []


def test_what_a_run_does_without(lines: Lines) -> None:
    """Each of the terms forgives what it names, and nothing else."""
    quiet = [line for line in lines if line["kind"] in ("ask", "answer")]
    alone = ledger(deliveries=[])
    assert balance(quiet, alone, Terms(channels=(), attempts=False)).wrong == []
    assert len(balance(quiet, alone, Terms(channels=())).wrong) == len(KEYS)
    assert len(balance(quiet, alone, Terms(channels=("sms",), attempts=False)).wrong) == len(KEYS)
    waiting = ledger(events=[event._replace(state="pending") for event in alone.events], deliveries=[])
    left = balance(quiet, waiting, Terms(channels=(), waiting=True))
    assert (left.wrong, left.numbers["waiting at the end"]) == ([], len(KEYS))
    unstored = replace(alone, objects=set())
    assert balance(quiet, unstored, Terms(channels=(), attempts=False, objects=False)).wrong == []
    called = [event._replace(called=True) for event in alone.events]
    assert balance(quiet, replace(unstored, events=called), Terms(channels=(), attempts=False)).wrong == []


def test_an_object_that_was_deleted_is_not_missed(lines: Lines) -> None:
    rest = ledger(objects={"two", "unanswered"})
    assert balance(lines, rest).wrong == ["one is an event without its object"]
    assert balance([*lines, {"kind": "delete", "key": "one"}], rest).wrong == []


def test_who_tells_of_an_object_alone_is_told_apart_by_its_key(lines: Lines) -> None:
    """A handler of others names no event."""
    bare = [line | {"event": ""} if line["kind"] == "arrival" else line for line in lines]
    assert balance(bare, ledger()).wrong == []
    other = next(line for line in bare if line.get("channel") == "webhook") | {"id": "m-other"}
    assert balance([*bare, other], ledger()).wrong == ["one was told to webhook under 2 keys"]
