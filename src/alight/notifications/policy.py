"""When a failed delivery is tried again: a pure function of protocol, policy, failure and attempt.

SNS's phases: retries without delay, with the least delay, with a growing delay, with the greatest delay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alight.notifications.message import Protocol

#: All retries of a webhook together, and the longest wait that a target may ask for (seconds).
HTTP_LIMIT = 3_600.0

#: Waits are drawn out by up to this share, so that what failed together does not return together.
JITTER = 0.1


class Failed(Exception):
    """A delivery did not succeed.

    `permanent`: trying again is of no use; `uncertain`: it may have arrived all the same; `retry_after`: seconds that
    the target asked for.
    """

    def __init__(
        self, text: str, *, permanent: bool = False, uncertain: bool = False, retry_after: float | None = None
    ) -> None:
        self.permanent = permanent
        self.uncertain = uncertain
        self.retry_after = retry_after
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Phases:
    """Counts of retries by phase; delays in seconds."""

    no_delay: int
    min_delay_retries: int
    backoff: int
    max_delay_retries: int
    minimum: float
    maximum: float
    function: str = "linear"

    @property
    def retries(self) -> int:
        return self.no_delay + self.min_delay_retries + self.backoff + self.max_delay_retries


HTTP_PHASES = Phases(0, 0, 3, 0, 20, 20)
MANAGED_PHASES = Phases(3, 2, 10, 100_000, 1, 20, "exponential")
PERSONAL_PHASES = Phases(0, 2, 10, 38, 10, 600, "exponential")

_PHASES = {
    Protocol.HTTP: HTTP_PHASES,
    Protocol.HTTPS: HTTP_PHASES,
    Protocol.LAMBDA: MANAGED_PHASES,
    Protocol.SQS: MANAGED_PHASES,
    Protocol.EMAIL: PERSONAL_PHASES,
    Protocol.EMAIL_JSON: PERSONAL_PHASES,
    Protocol.SMS: PERSONAL_PHASES,
}


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The dead letter's reason."""

    reason: str


def decide(phases: Phases, attempts: int, failure: Failed, chance: float) -> Retry | GiveUp:
    """What follows the failure of attempt number `attempts` (from 1). `chance` is in [0, 1)."""
    if failure.permanent:
        return GiveUp("ClientError")
    if attempts > phases.retries:
        return GiveUp("RetriesExhausted")
    wait = delay(phases, attempts) * (1 + JITTER * chance)
    if failure.retry_after is not None:
        wait = max(wait, min(failure.retry_after, HTTP_LIMIT))
    return Retry(wait)


def delay(phases: Phases, retry: int) -> float:
    """Seconds before retry number `retry` (from 1)."""
    if retry <= phases.no_delay:
        return 0.0
    retry -= phases.no_delay
    if retry <= phases.min_delay_retries:
        return phases.minimum
    retry -= phases.min_delay_retries
    if retry > phases.backoff:
        return phases.maximum
    if phases.backoff == 1:
        return phases.minimum
    return _grow(phases, (retry - 1) / (phases.backoff - 1))


def _grow(phases: Phases, share: float) -> float:
    """From the least to the greatest delay while `share` goes from 0 to 1."""
    low, high = phases.minimum, phases.maximum
    match phases.function:
        case "arithmetic":
            grown = share * (1 + share) / 2
        case "geometric":
            grown = share * share
        case "exponential":
            return low * math.pow(high / low, share) if low > 0 else high * share * share
        case _:
            grown = share
    return low + (high - low) * grown


def phases_of(protocol: Protocol, topic_policy: str = "", subscription_policy: str = "") -> Phases:
    """The retries of one subscription. Policies are SNS's DeliveryPolicy documents, checked when they were set."""
    if protocol not in (Protocol.HTTP, Protocol.HTTPS):
        return _PHASES[protocol]
    http = _http(topic_policy)
    own = json.loads(subscription_policy).get("healthyRetryPolicy") if subscription_policy else None
    if own and not http.get("disableSubscriptionOverrides", False):
        return _phases(own)
    general = http.get("defaultHealthyRetryPolicy")
    return _phases(general) if general else HTTP_PHASES


def most_per_second(topic_policy: str = "", subscription_policy: str = "") -> float:
    """The throttle of one webhook, 0 for none."""
    http = _http(topic_policy)
    own = json.loads(subscription_policy).get("throttlePolicy") if subscription_policy else None
    if own and not http.get("disableSubscriptionOverrides", False):
        return float(own.get("maxReceivesPerSecond") or 0)
    return float((http.get("defaultThrottlePolicy") or {}).get("maxReceivesPerSecond") or 0)


def content_type(topic_policy: str = "", subscription_policy: str = "") -> str:
    """The Content-Type of one webhook's requests."""
    http = _http(topic_policy)
    own = json.loads(subscription_policy).get("requestPolicy") if subscription_policy else None
    chosen = own if own and not http.get("disableSubscriptionOverrides", False) else http.get("defaultRequestPolicy")
    return (chosen or {}).get("headerContentType") or "text/plain; charset=UTF-8"


def _http(topic_policy: str) -> Mapping[str, Any]:
    return (json.loads(topic_policy).get("http") or {}) if topic_policy else {}


def _phases(policy: Mapping[str, Any]) -> Phases:
    retries = int(policy.get("numRetries", 3))
    no_delay = int(policy.get("numNoDelayRetries") or 0)
    least = int(policy.get("numMinDelayRetries") or 0)
    most = int(policy.get("numMaxDelayRetries") or 0)
    return Phases(
        no_delay,
        least,
        retries - no_delay - least - most,
        most,
        float(policy.get("minDelayTarget", 20)),
        float(policy.get("maxDelayTarget", 20)),
        policy.get("backoffFunction", "linear"),
    )
