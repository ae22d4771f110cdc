"""SIGKILL of a replica at calls that change something, while it is asked: the answer is right, or an error, and the
next one comes from another replica; events whose functions ask it come to a good end and are told once.
ALIGHT_CHAOS_WORKER_KILLS says how often, half as often as workers'.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.crash.killed import ANY, KillAt
from tests.crash.rig import TOLD_BY_WEBHOOK, House, rig, say
from tests.support import Instance, eventually

KILLS = int(os.environ.get("ALIGHT_CHAOS_WORKER_KILLS", "6")) // 2


def ask(instance: Instance, text: str) -> str:
    """The answer, or the code of the error."""
    runtime = instance.client("sagemaker-runtime", read_timeout=60)
    try:
        answer = runtime.invoke_endpoint(EndpointName="same", ContentType="text/plain", Body=text.encode())
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return str(answer["Body"].read().decode())


@pytest.mark.tool("cc")
@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 20)
def test_a_replica_that_is_killed_at_any_call_answers_nothing_wrong(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    place = KillAt(tmp_path, "alight.endpoints.replica")
    house = House(
        replicas=1,
        model_variables=place.settings,
        settings={"ALIGHT_WORKER_PATHS": str(tmp_path), "ALIGHT_REPLICAS": "1", "ALIGHT_RETRY_DELAYS": "1,5"},
        terms=TOLD_BY_WEBHOOK,
    )
    said, killed = Counter[str](), 0
    with rig(tmp_path, house) as made:
        instance = made.instance
        assert instance is not None
        assert ask(instance, "warm") == "warm"
        place.set("", 0, after=False)
        assert ask(instance, "counted") == "counted"
        most, kinds = place.all, place.counts
        assert most, kinds
        while killed < KILLS:
            place.set(ANY, chance.randint(1, most), after=chance.random() < 0.5)
            # The event's function asks the same replica, before or after us.
            made.put()
            text = f"question {said.total()}"
            found = ask(instance, text)
            said["right" if found == text else found] += 1
            if place.reached:
                killed += 1
                made.books.note("kill", who="replica")
            place.set("", 0, after=False)
            eventually(lambda: ask(instance, "again") == "again", 60, "an answer of the next replica")
        balance = made.settle()
    say(balance, seed, f"{most} calls an answer ({kinds}); {killed} replicas killed, answers: {dict(said)}")
    assert said.keys() <= {"right", "ModelError", "ServiceUnavailable", "InternalFailure", "ModelNotReadyException"}, (
        seed
    )
    assert balance.numbers["of them dead letters"] == 0
