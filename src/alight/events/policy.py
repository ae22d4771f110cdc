"""What follows from an attempt that did not succeed: a pure decision, apart from the loop that carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from alight.errors import Fault

#: Seconds of the longest wait after a throttle, and the share by which each is drawn out: five minutes together.
LONGEST_THROTTLE = 240.0
JITTER = 0.25
#: Statuses of faults that pass: too many requests, not available now, no room on the disk.
PASSING = frozenset({429, 503, 507})


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


def after_race(*, leases: int, now: float) -> RetryAt:
    """Somebody else was faster to the free worker: look again soon, later and later, without using up an attempt.

    The dispatcher leases only what is free, so this is short; the waits of minutes are for what does not come free.
    """
    return RetryAt(now + min(5.0, 0.05 * 2.0 ** min(leases - 1, 7)))


def after_throttle(*, throttles: int, now: float, expires: float, chance: float) -> RetryAt | GiveUp:
    """Decide where nothing could be tried: no replica was free, or the fault is this side's own.

    No attempt is used up; the event waits longer each time, from a second to five minutes, until it is too old.

    `throttles` includes the one just now; `chance` is in [0, 1), so that what came together does not return together.
    """
    delay = min(LONGEST_THROTTLE, 2.0 ** min(throttles - 1, 9)) * (1 + JITTER * chance)
    if now + delay > expires:
        return GiveUp("EventAgeExceeded")
    return RetryAt(now + delay)


def trace(error: Exception) -> Exception | None:
    """What the log says besides the error's words: nothing where a service has named it, as that a function was
    deleted."""
    return None if isinstance(error, Fault) else error


def is_ours(error: Exception) -> bool:
    """Whether an attempt came to nothing for a reason that may pass by itself: throttled, no process or file to be had,
    no room. Anything else would only come again."""
    return isinstance(error, OSError | MemoryError) or (isinstance(error, Fault) and error.status in PASSING)
