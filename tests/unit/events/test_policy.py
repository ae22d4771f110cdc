"""The retry policy as a table: no clock, no queue."""

from __future__ import annotations

import pytest

from alight.events.policy import GiveUp, RetryAt, after_failure, after_throttle

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


@pytest.mark.parametrize(("leases", "delay"), [(1, 0.05), (2, 0.1), (4, 0.4), (7, 3.2), (8, 5.0), (99, 5.0)])
def test_throttling_backs_off_to_five_seconds(leases: int, delay: float) -> None:
    assert after_throttle(leases=leases, now=NOW) == RetryAt(NOW + delay)
