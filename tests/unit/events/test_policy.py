"""The retry policy as a table: no clock, no queue."""

from __future__ import annotations

import pytest

from alight.errors.common import ServiceUnavailable
from alight.errors.lambda_ import ResourceNotFoundException, TooManyRequestsException
from alight.errors.store import Damaged, InsufficientStorage
from alight.events.policy import GiveUp, RetryAt, after_failure, after_race, after_throttle, is_ours, trace

NOW = 1000.0


@pytest.mark.parametrize(
    ("attempts", "retries", "expires", "delays", "expected"),
    [
        (1, 2, 9e9, (60.0, 120.0), RetryAt(NOW + 60)),
        (2, 2, 9e9, (60.0, 120.0), RetryAt(NOW + 120)),
        (3, 2, 9e9, (60.0, 120.0), GiveUp("RetriesExhausted")),
        (1, 0, 9e9, (60.0, 120.0), GiveUp("RetriesExhausted")),
        (5, 9, 9e9, (60.0, 120.0), RetryAt(NOW + 120)),
        (1, 2, NOW + 59, (60.0, 120.0), GiveUp("EventAgeExceeded")),
        (1, 2, NOW + 60, (60.0, 120.0), RetryAt(NOW + 60)),
        (1, 2, 9e9, (), RetryAt(NOW)),
    ],
)
def test_a_failed_attempt_is_tried_again_until_its_retries_or_its_age_run_out(
    attempts: int, retries: int, expires: float, delays: tuple[float, ...], expected: RetryAt | GiveUp
) -> None:
    decision = after_failure(attempts=attempts, retries=retries, now=NOW, expires=expires, delays=delays)
    assert decision == expected


@pytest.mark.parametrize(
    ("throttles", "chance", "delay"),
    [(1, 0.0, 1.0), (1, 0.8, 1.2), (2, 0.0, 2.0), (8, 0.0, 128.0), (9, 0.0, 240.0), (9, 0.8, 288.0), (999, 0.0, 240.0)],
)
def test_throttling_backs_off_from_a_second_to_five_minutes(throttles: int, chance: float, delay: float) -> None:
    decision = after_throttle(throttles=throttles, now=NOW, expires=9e9, chance=chance)
    assert isinstance(decision, RetryAt)
    assert decision.moment == pytest.approx(NOW + delay)


def test_a_throttled_event_is_given_up_at_its_age() -> None:
    decision = after_throttle(throttles=3, now=NOW, expires=NOW + 3.9, chance=0.0)
    assert decision == GiveUp("EventAgeExceeded")
    assert after_throttle(throttles=3, now=NOW, expires=NOW + 4.0, chance=0.0) == RetryAt(NOW + 4.0)


def test_the_log_traces_what_no_service_has_named() -> None:
    """That a function was deleted needs no traceback; a defect does."""
    assert trace(ResourceNotFoundException()) is None
    defect = KeyError("x")
    assert trace(defect) is defect


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (OSError(24, "Too many open files"), True),
        (BlockingIOError(11, "Resource temporarily unavailable"), True),
        (MemoryError(), True),
        (InsufficientStorage(), True),
        (ServiceUnavailable(), True),
        (TooManyRequestsException(), True),
        (ResourceNotFoundException(), False),
        (Damaged("function", "classify"), False),
        (RuntimeError("a fault of ours that comes again"), False),
    ],
)
def test_only_what_may_pass_by_itself_uses_up_no_attempt(error: Exception, ours: bool) -> None:
    assert is_ours(error) is ours


@pytest.mark.parametrize(("leases", "delay"), [(1, 0.05), (2, 0.1), (7, 3.2), (8, 5.0), (900, 5.0)])
def test_who_was_too_late_for_a_worker_looks_again_soon(leases: int, delay: float) -> None:
    assert after_race(leases=leases, now=NOW) == RetryAt(NOW + delay)
