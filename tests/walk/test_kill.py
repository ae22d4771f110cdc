"""The promise: what was answered with 200 is handled and told once, whatever is killed in between.

The example's own function keeps no books: it tells of its picture by name, which is what the accountant goes by.
"""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from tests.crash.accountant import Books, Terms, balance, read_ledger
from tests.crash.rig import say
from tests.support import eventually
from tests.walk.conftest import PICTURES, Birds
from tests.walk.making import books as counts
from tests.walk.sinks import Arrival, Webhook, webhook

#: `make chaos` has 20; kills under load are the business of `tests/crash/test_chaos.py`.
ROUNDS = int(os.environ.get("ALIGHT_TEST_ROUNDS", "6"))


class Noted(Webhook):
    """Each arrival is in the books before it is answered, with the picture that its message names."""

    books: Books

    def take(self, arrival: Arrival) -> int:
        if arrival.envelope.get("Type") == "Notification":
            key = arrival.message.split("[")[1].split("]")[0]
            self.books.note("arrival", channel="webhook", id=arrival.message_id, key=key, event="", word="")
        return super().take(arrival)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_runtime_tells_every_accepted_picture_once(birds: Birds, tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    books, sink = Books(tmp_path / "books"), Noted()
    sink.books = books
    with webhook(sink) as hook:
        birds.subscribe(hook)
        for round_ in range(ROUNDS):
            for number in range(2):
                put(birds, books, f"birds/{round_}-{number}.jpg", (round_ + number) % len(PICTURES))
            # From right after the 200 to about when the messages have left.
            threading.Event().wait(chance.uniform(0, 1.5))
            books.note("kill", who="runtime")
            birds.instance.kill()
            birds = birds.again()

        def quiet() -> bool:
            found = counts(birds.instance)
            outbox = found["outbox"]
            return not found["pending"] + found["running"] + outbox["ready"] + outbox["sending"]

        eventually(quiet, 60, "quiet")
        assert birds.instance.stop() == 0
    books.close()
    ledger = read_ledger(birds.instance.data, birds.outputs["BucketName"])
    found = balance(books.lines(), ledger, Terms(channels=("webhook",), attempts=False))
    say(found, seed, f"ALIGHT_TEST_SEED={seed} repeats this run of {ROUNDS} kills")
    assert found.numbers["of them succeeded"] == found.numbers["answered with 200"] == 2 * ROUNDS


def put(birds: Birds, books: Books, key: str, picture: int) -> None:
    books.note("ask", key=key)
    birds.put(key, list(PICTURES.values())[picture])
    books.note("answer", key=key, status=200)
