"""An endpoint whose replicas end at each start, then a webhook that takes nothing: what waits for them waits longer and
longer, loses no attempt, and is told once when they are back.

ALIGHT_CHAOS_DEAD_EVENTS says how many events wait.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.rig import INFERENCE, KEEPS_BOOKS, TOLD_BY_WEBHOOK, House, Rig, rig, say
from tests.support import eventually
from tests.walk.making import books, events, processes_of

EVENTS = int(os.environ.get("ALIGHT_CHAOS_DEAD_EVENTS") or 12)

#: Every failure of the call is the function's; no retry of the client hides it.
ASKS = (
    KEEPS_BOOKS
    + """
from botocore.config import Config
runtime = boto3.client("sagemaker-runtime", config=Config(retries={"total_max_attempts": 1}))
def handler(event, context):
    key = begun(event, context)
    answer = runtime.invoke_endpoint(EndpointName="same", Body=key.encode(), ContentType="text/plain")
    tell(key, context, answer["Body"].read().decode())
"""
)
#: Ends at each start while the file is there.
DYING = INFERENCE.replace(
    "    return None",
    """    import os
    if os.path.exists(os.environ["DEAD"]):
        os._exit(1)
    return None""",
)
#: The function ends before a request's wait for a replica does. One retry, at once: nothing is spared by waiting.
HOUSE = House(
    ASKS,
    timeout=3,
    inference=DYING,
    replicas=1,
    settings={"ALIGHT_CONCURRENCY": "4", "ALIGHT_RETRY_DELAYS": "0", "ALIGHT_REPLICAS": "1"},
    policy={"healthyRetryPolicy": {"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}},
    terms=TOLD_BY_WEBHOOK,
)


def said(made: Rig) -> str:
    """What the replicas, and whoever keeps them, have said. Asked a few times a second: it costs more than the wait."""
    threading.Event().wait(0.2)
    assert made.instance is not None
    logs = made.instance.client("logs")
    group = "/aws/sagemaker/Endpoints/same"
    return "\n".join(line["message"] for line in logs.filter_log_events(logGroupName=group)["events"])


@pytest.mark.slow
@pytest.mark.timeout(180 + EVENTS)
def test_who_waits_for_a_dead_endpoint_and_a_dead_target_loses_no_attempt(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    settings = {**HOUSE.settings, "ALIGHT_WORKER_PATHS": str(tmp_path)}
    with rig(tmp_path, replace(HOUSE, model_variables={"DEAD": str(dead)}, settings=settings)) as made:
        instance = made.instance
        assert instance is not None
        assert made.put()
        eventually(lambda: books(instance)["succeeded"] == 1, what="the first event")
        made.books.note("fault", what="the endpoint is dead")
        dead.touch()
        [replica] = [pid for pid, line in processes_of(made.data).items() if "alight.endpoints.replica" in line]
        os.kill(replica, signal.SIGKILL)
        eventually(lambda: "cannot be started" in said(made), what="the replica's end")
        assert all(made.put() for _ in range(EVENTS))
        eventually(lambda: "events wait, and lose no attempt" in said(made), 60, "that events leave it alone")
        began = time.monotonic()
        waiting = Counter(event["attempts"] for event in events(instance))
        assert (books(instance)["dead"], waiting) == (0, {1: 1, 0: EVENTS})
        made.books.note("fault", what="the webhook is dead")
        made.hook.down = True
        dead.unlink()
        eventually(lambda: books(instance)["succeeded"] == EVENTS + 1, 120, "the end of all events")
        took = time.monotonic() - began
        attempts = Counter(event["attempts"] for event in events(instance))
        begun = sum(line["kind"] == "attempt" for line in made.books.lines())
        made.hook.down = False
        found = made.settle(120)
    say(found, None, f"{EVENTS} events waited for a dead endpoint, begun {begun} times; all done {took:.1f} s later")
    assert attempts == {1: EVENTS + 1}
    assert found.numbers["of them dead letters"] == 0
    assert found.numbers["arrivals"] == EVENTS + 1
