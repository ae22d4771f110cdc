"""The promise: what was answered with 200 is handled and told once, whatever is killed in between."""

from __future__ import annotations

import os
import random
import threading
from collections import defaultdict

import pytest

from tests.walk.conftest import PICTURES, Birds
from tests.walk.sinks import Webhook

#: `make chaos` has 20; kills under load are the business of `tests/crash/test_chaos.py`.
ROUNDS = int(os.environ.get("ALIGHT_TEST_ROUNDS", "6"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_runtime_tells_every_accepted_picture_once(birds: Birds, hook: Webhook) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}: ALIGHT_TEST_SEED={seed} repeats this run")
    chance = random.Random(seed)
    birds.subscribe(hook)
    pictures = list(PICTURES.values())
    accepted: list[str] = []
    for round_ in range(ROUNDS):
        for number in range(2):
            key = f"birds/{round_}-{number}.jpg"
            birds.put(key, pictures[(round_ + number) % len(pictures)])
            accepted.append(key)
        # From right after the 200 to about when the messages have left.
        threading.Event().wait(chance.uniform(0, 1.5))
        birds.instance.kill()
        birds = birds.again()

    def told() -> dict[str, set[str]]:
        ids: dict[str, set[str]] = defaultdict(set)
        for arrival in hook.arrivals:
            ids[arrival.message.split("[")[1].split("]")[0]].add(arrival.message_id)
        return ids

    with hook.changed:
        hook.changed.wait_for(lambda: told().keys() >= set(accepted), 60)
    found = told()
    assert sorted(found) == sorted(accepted), "an accepted picture was not told"
    twice = {key: ids for key, ids in found.items() if len(ids) > 1}
    assert not twice, "a picture was told in two messages"
    deliveries = birds.instance.json("outbox", "--limit", "1000")["deliveries"]
    repeated = len(hook.arrivals) - len(accepted)
    assert repeated <= sum(bool(item["uncertain"]) for item in deliveries), "a repeat that is not flagged"
    books = birds.instance.json("status")["books"]
    assert books["accepted"] == len(accepted)
    assert books["accepted"] == sum(books[state] for state in ("pending", "running", "succeeded", "dead"))
    print(f"{len(accepted)} accepted, {ROUNDS} kills, {repeated} repeated with the same id and flagged")
