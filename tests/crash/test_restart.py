"""A restart with a long queue: the house serves at once, in bounded memory, and works the queue off oldest first.

`ALIGHT_CHAOS_PENDING` is the length of the queue: 100,000 in `make chaos`, fewer in `make test`. What the runtime
needs until it serves is measured in seconds of the processor, too: on a busy machine the clock says little.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.crash.measure import peak_memory, processor_seconds
from tests.crash.pending import fill
from tests.support import Start, eventually
from tests.walk.making import books, let_in, make_function, make_role

PENDING = int(os.environ.get("ALIGHT_CHAOS_PENDING", "5000"))
#: How many of them are waited for.
HANDLED = int(os.environ.get("ALIGHT_CHAOS_HANDLED", "200"))
SECONDS, MEGABYTES = 5.0, 512.0
CODE = """
def handler(event, context):
    return event["Records"][0]["s3"]["object"]["key"]
"""


@pytest.mark.timeout(900)
def test_a_long_queue_does_not_keep_the_door_shut(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = start(data=data)
    make_role(first)
    arn = make_function(first, "reads", CODE)
    let_in(first, arn, "s3", "arn:aws:s3:::full")
    first.client("s3").create_bucket(Bucket="full")
    assert first.stop() == 0
    fill(data, arn, PENDING)

    began = time.monotonic()
    instance = start(data=data, timeout=120)
    s3 = instance.client("s3")
    s3.put_object(Bucket="full", Key="new", Body=b"here")
    assert s3.get_object(Bucket="full", Key="new")["Body"].read() == b"here"
    took, used = time.monotonic() - began, processor_seconds(instance.process.pid)
    counts = books(instance)
    assert counts["accepted"] == PENDING
    assert counts["running"] <= 4 * (os.cpu_count() or 1)  # only what has a worker is taken from the queue
    eventually(lambda: books(instance)["succeeded"] >= HANDLED, 600)
    drained = time.monotonic() - began
    counts, memory = books(instance), peak_memory(instance.process.pid)
    assert instance.stop() == 0
    print(
        f"restart with {PENDING:,} pending: serving after {took:.2f} s ({used:.2f} s of the processor), "
        f"{counts['succeeded']:,} handled after {drained:.1f} s, {memory:.0f} MB at most, {counts['dead']} dead"
    )
    assert used <= SECONDS
    assert memory <= MEGABYTES
    assert counts["dead"] == 0
    assert counts["accepted"] == counts["pending"] + counts["running"] + counts["succeeded"]
