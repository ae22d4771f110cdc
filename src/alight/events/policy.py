"""What follows from an attempt that did not succeed: a pure decision, apart from the loop that carries it out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `moment` (seconds since 1970)."""

    moment: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Make it a dead letter; `reason` is Lambda's own word where it has one."""

    reason: str


def after_failure(
    *, attempts: int, retries: int, now: float, expires: float, delays: tuple[float, ...]
) -> RetryAt | GiveUp:
    """Decide after a function error. `attempts` includes the one that just failed.

    `delays` are the seconds before the second, third ... attempt; the last one goes on for ever.
    """
    if attempts > retries:
        return GiveUp("RetriesExhausted")
    delay = delays[min(attempts, len(delays)) - 1] if delays else 0.0
    if now + delay > expires:
        return GiveUp("EventAgeExceeded")
    return RetryAt(now + delay)


def after_throttle(*, leases: int, now: float) -> RetryAt:
    """Somebody else was faster to the free worker: look again soon, later and later, without using up an attempt.

    The dispatcher leases only what is free, so this is rare and short; Lambda's own waits are for a shared fleet.
    """
    return RetryAt(now + min(5.0, 0.05 * 2.0 ** min(leases - 1, 7)))
