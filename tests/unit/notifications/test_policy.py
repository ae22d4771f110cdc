"""When a failed delivery is tried again: the whole schedule, without waiting."""

from __future__ import annotations

import json
from itertools import count

import pytest

from alight.notifications.message import Protocol
from alight.notifications.policy import (
    Failed,
    GiveUp,
    Phases,
    Retry,
    content_type,
    decide,
    delay,
    most_per_second,
    phases_of,
)


def schedule(protocol: Protocol, topic: str = "", subscription: str = "", most: int = 200) -> list[float]:
    """The delays until the policy gives up (or `most` of them)."""
    phases = phases_of(protocol, topic, subscription)
    delays: list[float] = []
    for attempt in count(1):
        decision = decide(phases, attempt, Failed("down"), 0.0)
        if isinstance(decision, GiveUp) or len(delays) == most:
            return delays
        delays.append(decision.delay)
    raise AssertionError


def test_webhooks_get_three_retries_twenty_seconds_apart() -> None:
    assert schedule(Protocol.HTTP) == [20, 20, 20]
    assert schedule(Protocol.HTTPS) == [20, 20, 20]


@pytest.mark.parametrize("protocol", [Protocol.EMAIL, Protocol.EMAIL_JSON, Protocol.SMS])
def test_people_get_fifty_retries_over_six_hours(protocol: Protocol) -> None:
    delays = schedule(protocol)
    assert len(delays) == 50
    assert delays[:3] == [10, 10, 10]
    assert delays[11:] == [600] * 39
    assert delays == sorted(delays)
    assert 6 * 3600 <= sum(delays) <= 7 * 3600


@pytest.mark.parametrize("protocol", [Protocol.LAMBDA, Protocol.SQS])
def test_managed_targets_get_a_hundred_thousand(protocol: Protocol) -> None:
    delays = schedule(protocol, most=20)
    assert delays[:6] == [0, 0, 0, 1, 1, 1]
    assert delays[14:] == [20] * 6
    assert phases_of(protocol).retries == 100_015


def test_jitter_draws_a_wait_out_and_never_shortens_it() -> None:
    phases = phases_of(Protocol.HTTP)
    assert decide(phases, 1, Failed("down"), 0.0) == Retry(20)
    drawn = decide(phases, 1, Failed("down"), 0.999)
    assert isinstance(drawn, Retry)
    assert 20 < drawn.delay < 22.1


def test_permanent_failures_use_up_no_retries() -> None:
    assert decide(phases_of(Protocol.HTTP), 1, Failed("404", permanent=True), 0.5) == GiveUp("ClientError")


def test_exhausted_retries_say_so() -> None:
    assert decide(phases_of(Protocol.HTTP), 4, Failed("500"), 0.5) == GiveUp("RetriesExhausted")


@pytest.mark.parametrize(("asked", "waited"), [(5, 20), (120, 120), (1e9, 3600), (0, 20)])
def test_retry_after_is_honoured_within_limits(asked: float, waited: float) -> None:
    assert decide(phases_of(Protocol.HTTP), 1, Failed("429", retry_after=asked), 0.0) == Retry(waited)


FULL = {
    "minDelayTarget": 2,
    "maxDelayTarget": 10,
    "numRetries": 10,
    "numNoDelayRetries": 1,
    "numMinDelayRetries": 2,
    "numMaxDelayRetries": 2,
    "backoffFunction": "linear",
}


def test_all_phases_of_a_delivery_policy() -> None:
    policy = json.dumps({"healthyRetryPolicy": FULL})
    assert schedule(Protocol.HTTP, "", policy) == [0, 2, 2, 2, 4, 6, 8, 10, 10, 10]


@pytest.mark.parametrize("function", ["linear", "arithmetic", "geometric", "exponential"])
def test_backoff_functions_go_from_least_to_greatest(function: str) -> None:
    policy = FULL | {"numNoDelayRetries": 0, "numMinDelayRetries": 0, "numMaxDelayRetries": 0}
    delays = schedule(Protocol.HTTP, "", json.dumps({"healthyRetryPolicy": policy | {"backoffFunction": function}}))
    assert delays[0] == pytest.approx(2)
    assert delays[-1] == pytest.approx(10)
    assert delays == sorted(delays)


def test_a_single_backoff_retry_waits_the_least_delay() -> None:
    phases = phases_of(Protocol.HTTP, "", json.dumps({"healthyRetryPolicy": {**FULL, "numRetries": 6}}))
    assert delay(phases, 4) == 2


def test_the_topic_rules_and_may_forbid_overrides() -> None:
    own = json.dumps({"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 1}})
    http = {"defaultHealthyRetryPolicy": {"minDelayTarget": 5, "maxDelayTarget": 5, "numRetries": 2}}
    topic = json.dumps({"http": http})
    strict = json.dumps({"http": http | {"disableSubscriptionOverrides": True}})
    assert schedule(Protocol.HTTP, topic) == [5, 5]
    assert schedule(Protocol.HTTP, topic, own) == [1]
    assert schedule(Protocol.HTTP, strict, own) == [5, 5]
    assert schedule(Protocol.EMAIL, topic, own) == schedule(Protocol.EMAIL)


def test_throttle_and_content_type() -> None:
    topic = json.dumps(
        {
            "http": {
                "defaultThrottlePolicy": {"maxReceivesPerSecond": 5},
                "defaultRequestPolicy": {"headerContentType": "application/json"},
            }
        }
    )
    own = json.dumps(
        {"throttlePolicy": {"maxReceivesPerSecond": 2}, "requestPolicy": {"headerContentType": "text/csv"}}
    )
    assert (most_per_second(), content_type()) == (0, "text/plain; charset=UTF-8")
    assert (most_per_second(topic), content_type(topic)) == (5, "application/json")
    assert (most_per_second(topic, own), content_type(topic, own)) == (2, "text/csv")


def test_what_a_policy_leaves_out_is_as_on_aws() -> None:
    def own(**policy: object) -> Phases:
        return phases_of(Protocol.HTTP, "", json.dumps({"healthyRetryPolicy": policy}))

    assert own(numRetries=2) == Phases(0, 0, 2, 0, 20.0, 20.0, "linear")
    assert own(minDelayTarget=5, backoffFunction="exponential") == Phases(0, 0, 3, 0, 5.0, 20.0, "exponential")
    assert own(numRetries=9, numNoDelayRetries=1, numMaxDelayRetries=2) == Phases(1, 0, 6, 2, 20.0, 20.0, "linear")


def test_growth_from_no_delay_at_all() -> None:
    """Nothing can be multiplied: it grows with the square."""
    phases = Phases(0, 0, 3, 0, 0.0, 20.0, "exponential")
    assert [delay(phases, retry) for retry in (1, 2, 3)] == [0.0, 5.0, 20.0]
