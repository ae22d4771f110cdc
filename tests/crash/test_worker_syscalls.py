"""SIGKILL of a worker at calls that change something: what it sends to the runtime, to topics, what it writes.

The handler notes that it runs and publishes; its worker is ended right before its N-th call, anywhere in an invocation,
and the event runs again with another one. ALIGHT_CHAOS_WORKER_KILLS says how often.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.crash.killed import ANY, KillAt
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import events, make_function, make_role
from tests.walk.sinks import webhook

KILLS = int(os.environ.get("ALIGHT_CHAOS_WORKER_KILLS", "6"))

CODE = """
import boto3, os, uuid
sns = boto3.client("sns")
def handler(event, context):
    with open(os.environ["BOOKS"], "a") as books:
        print(context.aws_request_id, file=books)
    sns.publish(TopicArn=os.environ["TOPIC"], Message=f"{context.aws_request_id} {uuid.uuid4()}")
    print("told")
"""


def accept(instance: Instance, count: int) -> None:
    """One event more, and its end: `count` have ended then."""
    instance.client("lambda").invoke(FunctionName="tells", InvocationType="Event", Payload=b"{}")["Payload"].read()
    eventually(lambda: [one["state"] for one in events(instance)] == ["succeeded"] * count, 60, "the end of an event")


@pytest.mark.tool("cc")
@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 10)
def test_a_worker_that_is_killed_at_any_call_costs_an_attempt_and_tells_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    place, noted = KillAt(tmp_path, "launcher.py"), tmp_path / "books"
    noted.touch()
    settings: dict[str, Any] = {
        "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1",
        "ALIGHT_RETRY_DELAYS": "0.05",
        "ALIGHT_CONCURRENCY": "1",
        "ALIGHT_WORKER_PATHS": str(tmp_path),
    }
    with webhook() as hook:
        instance = start_alight(tmp_path / "data", timeout=60, **settings)
        try:
            make_role(instance)
            sns = instance.client("sns")
            topic = sns.create_topic(Name="told")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url)
            assert hook.confirmed.wait(20)
            variables: dict[str, Any] = {"TOPIC": topic, "BOOKS": str(noted), **place.settings}
            make_function(instance, "tells", CODE, **variables)
            accept(instance, 1)
            place.set("", 0, after=False)
            accept(instance, 2)
            most, kinds = place.all, place.counts
            assert most > 3, kinds
            killed = Counter[bool]()
            while killed[True] < KILLS:
                place.set(ANY, chance.randint(1, most), after=chance.random() < 0.5)
                accept(instance, killed.total() + 3)
                killed[place.reached] += 1
            found = {one["id"]: one["attempts"] for one in events(instance)}
            arrivals = hook.wait_for(len(found))
            assert instance.stop() == 0
        finally:
            sweep(instance.process)
    told = Counter(arrival.message.split()[0] for arrival in arrivals)
    ran = Counter(noted.read_text().split())
    lives = f"killed {killed[True]}, {killed[False]} places not reached; {ran.total()} ran, {len(told)} told"
    print(f"\nseed {seed}: {most} calls an invocation ({kinds}); {lives}")
    assert told == Counter(found.keys()), f"seed {seed}"
    # Who is killed behind its answer has cost none.
    assert 0 < sum(attempts - 1 for attempts in found.values()) <= killed[True], f"seed {seed}"
    assert all(0 < ran[id] <= attempts for id, attempts in found.items()), f"seed {seed}"
