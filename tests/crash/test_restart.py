"""A restart with a long queue: the house serves at once, in bounded memory, and works the queue off oldest first.

`ALIGHT_CHAOS_PENDING` is the length of the queue: 100,000 in `make chaos`, fewer in `make test`. What the runtime
needs until it serves is measured in seconds of the processor, too: on a busy machine the clock says little.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.crash.accountant import Terms
from tests.crash.measure import peak_memory, processor_seconds
from tests.crash.pending import fill
from tests.crash.rig import BUCKET, NOTES, House, rig, say
from tests.support import eventually
from tests.walk.making import books

PENDING = int(os.environ.get("ALIGHT_CHAOS_PENDING", "5000"))
#: How many of them are waited for.
HANDLED = int(os.environ.get("ALIGHT_CHAOS_HANDLED", "200"))
SECONDS, MEGABYTES = 5.0, 512.0


@pytest.mark.timeout(900)
def test_a_long_queue_does_not_keep_the_door_shut(tmp_path: Path) -> None:
    # What waits when it ends is no loss, and events that SQL has written have no objects.
    house = House(NOTES, replicas=0, terms=Terms(channels=(), waiting=True, objects=False))
    with rig(tmp_path, house) as made:
        assert made.instance is not None
        assert made.instance.stop() == 0
        fill(made.data, made.function, PENDING, name="full/", bucket=BUCKET)
        made.books.note_all("ask", (f"full/{number}" for number in range(1, PENDING + 1)))

        began = time.monotonic()
        instance = made.begin()
        assert made.put("new", b"here")
        assert made.client.get_object(Bucket=BUCKET, Key="new")["Body"].read() == b"here"
        took, used = time.monotonic() - began, processor_seconds(instance.process.pid)
        counts = books(instance)
        assert counts["accepted"] == PENDING + 1
        assert counts["running"] <= 4 * (os.cpu_count() or 1)  # only what has a worker is taken from the queue
        eventually(lambda: books(instance)["succeeded"] >= HANDLED, 600)
        drained, memory = time.monotonic() - began, peak_memory(instance.process.pid)
        assert instance.stop() == 0
        found = made.compare()
    say(
        found,
        None,
        f"restart with {PENDING:,} pending: serving after {took:.2f} s ({used:.2f} s of the processor), "
        f"{found.numbers['of them succeeded']:,} handled after {drained:.1f} s, {memory:.0f} MB at most",
    )
    assert found.numbers["events"] == PENDING + 1
    assert used <= SECONDS
    assert memory <= MEGABYTES
