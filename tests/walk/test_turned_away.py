"""An event whose endpoint has no place for its call loses no attempt by it: it comes again when there is one."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from alight.endpoints.spec import Limits
from alight.store import journal
from tests.support import eventually
from tests.walk.deployed import deployed
from tests.walk.making import make_function, make_packed_endpoint, make_role

EVENTS = 4

#: One request at a time; each takes longer than an event that is turned away waits at first.
SLOW = b"""
import time
def model_fn(folder):
    return None
def predict_fn(data, model):
    time.sleep(0.3)
    return data
"""
ASKS = """
import boto3
from botocore.config import Config
runtime = boto3.client("sagemaker-runtime", config=Config(retries={"total_max_attempts": 1}))
def handler(event, context):
    runtime.invoke_endpoint(EndpointName="full", Body=b"[1]", ContentType="application/json")["Body"].read()
"""


def test_a_call_for_which_there_is_no_place_costs_no_attempt(tmp_path: Path) -> None:
    with deployed(tmp_path / "data", concurrency=EVENTS, replicas=1) as alight:
        alight.running.endpoints._limits = Limits(waiting=0)
        dispatcher = asyncio.run_coroutine_threadsafe(alight.running.dispatcher.run(), alight.loop)
        here: Any = alight
        make_role(here)
        make_packed_endpoint(here, "full", {"code/inference.py": SLOW}, 1)
        make_function(here, "asks", ASKS)
        lambda_ = alight.client("lambda")
        # The first failure would be the last.
        lambda_.put_function_event_invoke_config(FunctionName="asks", MaximumRetryAttempts=0)
        for _ in range(EVENTS):
            lambda_.invoke(FunctionName="asks", InvocationType="Event", Payload=b"{}")["Payload"].read()
        reader = alight.store.database.read

        def over() -> bool:
            books = journal.books(reader())
            return not books.pending + books.running

        eventually(over, 60, "the last event")
        found = journal.newest(reader(), limit=10)
        dispatcher.cancel()
    print(f"\n{EVENTS} events, {sum(event.leases for event in found)} times begun")
    assert Counter((event.state.value, event.attempts) for event in found) == {("succeeded", 1): EVENTS}
    assert sum(event.leases for event in found) > EVENTS, "nobody was turned away"
