"""How many deliveries each target may have under way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alight.notifications.lanes import Ending, Lanes


def test_an_unknown_target_gets_one_place_and_earns_more() -> None:
    lanes = Lanes(places=64, widest=8)
    under_way = 0
    for width in (1, 2, 4, 8, 8):
        while lanes.may_start("a", 0):
            lanes.start("a")
            under_way += 1
        assert under_way == width
        lanes.end("a", Ending.SENT, 0)
        under_way -= 1


def test_a_failure_takes_it_back_to_one() -> None:
    lanes = Lanes()
    for _ in range(3):
        lanes.start("a")
        lanes.end("a", Ending.SENT, 0)
    lanes.start("a")
    lanes.end("a", Ending.FAILED, 0)
    lanes.start("a")
    assert not lanes.may_start("a", 0)
    assert lanes.blocked(0) == ["a"]


def test_failing_targets_share_half_of_the_places() -> None:
    lanes = Lanes(places=4)
    for target in ("a", "b", "c"):
        lanes.start(target)
        lanes.end(target, Ending.FAILED, 0)
    lanes.start("a")
    lanes.start("b")
    assert not lanes.may_start("c", 0)
    assert lanes.may_start("new", 0)
    lanes.end("a", Ending.SENT, 0)
    assert lanes.may_start("c", 0)


def test_who_is_known_to_answer_finds_a_place_among_any_number_of_black_holes() -> None:
    lanes = Lanes(places=8)
    lanes.start("good")
    lanes.end("good", Ending.SENT, 0)
    taken = [number for number in range(20) if lanes.take(f"black hole {number}", 0)]
    assert len(taken) == 6
    assert lanes.may_start("good", 0)
    lanes.end("black hole 0", Ending.SENT, 0)
    assert lanes.may_start("another", 0)


def test_no_more_than_all_places() -> None:
    lanes = Lanes(places=2)
    lanes.start("a")
    lanes.start("b")
    assert not lanes.may_start("c", 0)
    assert lanes.free == 0


def test_a_throttled_target_waits_for_its_time_and_goes_one_by_one() -> None:
    lanes = Lanes()
    lanes.start("a")
    lanes.hold_back("a", 5.0)
    lanes.end("a", Ending.SENT, 0)
    assert not lanes.may_start("a", 4.9)
    assert lanes.opens(0) == 5.0
    assert lanes.may_start("a", 5.0)
    lanes.start("a")
    assert not lanes.may_start("a", 6.0)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(Ending)), max_size=200))
def test_counts_never_drift(steps: list[tuple[str, Ending]]) -> None:
    lanes, under_way = Lanes(places=6, widest=4), []
    for target, ending in steps:
        if lanes.may_start(target, 0):
            lanes.start(target)
            under_way.append(target)
        elif under_way:
            lanes.end(under_way.pop(), ending, 0)
        assert lanes.busy == len(under_way) <= 6
    for target in under_way:
        lanes.end(target, Ending.SENT, 0)
    assert lanes.free == 6
    assert all(lanes.may_start(target, 1_000.0) for target in "abcdef")


def test_a_place_that_was_taken_and_given_back_says_nothing_about_the_target() -> None:
    lanes = Lanes(places=1)
    assert lanes.take("a", 0)
    assert not lanes.take("b", 0)
    lanes.give_back("a")
    assert lanes.take("b", 0)
    lanes.give_back("b")
    lanes.start("a")
    assert not lanes.may_start("a", 0)  # its width is still one
