"""The disk gives an error back: no further 2xx, an end that says what to do, and a start that has all it promised.

strace makes the next call of one kind fail, once: every later one would work, and a runtime that went on would answer
with 200 over what the kernel has dropped. Or it makes all of them fail from there on: then no start goes well before
the disk is. ALIGHT_CHAOS_DISK_ERRORS says how often; without it, three times.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.crash.attached import attached
from tests.support import Instance, start_alight, sweep
from tests.walk.making import books, let_in, make_function, make_role

ROUNDS = int(os.environ.get("ALIGHT_CHAOS_DISK_ERRORS") or 3)
BUCKET = "errors"
LARGE, SMALL = 200_000, 500
#: Seconds in which the runtime has to be gone; a loaded machine takes its time.
GONE = 20

CODE = "def handler(event, context):\n    return 1\n"


@dataclass(frozen=True)
class Fault:
    """`call` gives `error` back, once or from now on, for these files of the data folder (none: for any)."""

    call: str
    error: str
    size: int
    files: tuple[str, ...] = ()
    for_ever: bool = False

    def __str__(self) -> str:
        return " ".join([self.call, self.error, *self.files[:1], *(["for ever"] if self.for_ever else [])])

    @property
    def inject(self) -> list[str]:
        """What strace is told."""
        when = "1+" if self.for_ever else "1"
        return [
            "-f",
            "-e",
            "signal=none",
            "-e",
            f"trace={self.call}",
            "-e",
            f"inject={self.call}:error={self.error}:when={when}",
        ]


SHARDS = tuple(f"bodies/{number:02x}" for number in range(256))
FAULTS = (
    Fault("fsync", "EIO", LARGE),  # an object's file
    Fault("fdatasync", "EIO", SMALL),  # the journal
    Fault("fdatasync", "EIO", SMALL, for_ever=True),
    Fault("fsync", "EIO", LARGE, SHARDS),  # an object's name
    Fault("rename", "EIO", LARGE),
    Fault("rename", "EROFS", LARGE),
    Fault("pwrite64", "EIO", SMALL, ("alight.db-wal",)),
    Fault("pwrite64", "EIO", SMALL, ("witness",)),
    Fault("fsync", "EIO", SMALL, ("witness",)),
    Fault("fsync", "EIO", LARGE, for_ever=True),
    Fault("pwrite64", "EIO", SMALL, for_ever=True),
)


@dataclass
class Told:
    """What the client was told."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    after: int = 0
    slowest: float = 0.0


def failing(instance: Instance, fault: Fault, log: Path) -> AbstractContextManager[None]:
    """From here on the next call of this kind fails, once in each thread."""
    return attached(instance, fault.inject, [instance.data / name for name in fault.files], log)


def put(s3: Any, key: str, body: bytes, told: Told) -> bool:
    try:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    except (BotoCoreError, ClientError):
        return False
    told.bodies[key] = body
    return True


def meet(instance: Instance, fault: Fault, name: str, log: Path, told: Told) -> None:
    """PUT until one is not answered with 200, then some more, of which none may be."""
    s3 = instance.client("s3", read_timeout=GONE)
    chance = random.Random(name)
    with failing(instance, fault, log):
        number = 0
        # The witness is written a second after a commit: somebody has to ask until then.
        while put(s3, f"{name}/{number}", chance.randbytes(fault.size), told):
            number += 1
            assert number < 3000, "nothing failed"
        began = time.monotonic()
        while instance.process.poll() is None and time.monotonic() < began + GONE:
            told.after += put(s3, f"{name}/after-{time.monotonic()}", chance.randbytes(SMALL), told)
            told.after += put(s3, f"{name}/after-{time.monotonic()}", chance.randbytes(LARGE), told)
            threading.Event().wait(0.01)
        assert instance.process.poll() is not None, f"{fault}: it went on"
        told.slowest = max(told.slowest, time.monotonic() - began)
    assert "(INJECTED)" in log.read_text()


def refuse_to_start(data: Path, fault: Fault, told: Told) -> None:
    """As long as the disk is not well, a start ends before it serves, or with the first write, and says why."""
    stderr = data.with_name("data.stderr")
    stderr.write_text("")
    ended = ""
    try:
        instance = start_alight(data, timeout=120, before=["strace", "-b", "execve", "-o", os.devnull, *fault.inject])
    except AssertionError as error:
        ended = str(error)
    else:
        told.after += put(instance.client("s3", read_timeout=GONE), "for-ever", b"never", told)
        assert instance.process.wait(GONE) == 74
        sweep(instance.process)
    assert not ended or "stopped before it was ready" in ended
    said = stderr.read_text()
    assert "Traceback" not in said, said
    assert "cannot be opened" in said or "the disk refused a write" in said, said


def check(instance: Instance, told: Told) -> None:
    """All that was answered with 200 is there, and was handled; the rest is there whole or not at all."""
    s3 = instance.client("s3")
    for key, body in told.bodies.items():
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body, key
    assert books(instance)["accepted"] >= len(told.bodies)


def prepare(instance: Instance) -> None:
    make_role(instance)
    arn = make_function(instance, "sees", CODE)
    let_in(instance, arn, "s3", f"arn:aws:s3:::{BUCKET}")
    s3 = instance.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )


@pytest.mark.tool("strace")
@pytest.mark.slow
@pytest.mark.timeout(120 + 40 * ROUNDS)
def test_an_error_of_the_disk_ends_it_at_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    chance = random.Random(seed)
    # The three that matter most come first; then all, in any order.
    order = [*FAULTS[:3], *chance.sample(FAULTS[3:], len(FAULTS) - 3)]
    told = Told()
    data, stderr = tmp_path / "data", tmp_path / "data.stderr"
    instance = start_alight(data, timeout=60)
    try:
        prepare(instance)
        for number in range(ROUNDS):
            fault = order[number % len(order)]
            stderr.write_text("")
            meet(instance, fault, f"round-{number}", tmp_path / "calls", told)
            said = stderr.read_text()
            assert instance.process.wait(GONE) == 74, said
            assert "Alight stops: the disk refused a write" in said
            assert "Start it again once the disk is well." in said
            sweep(instance.process)
            told.ends[str(fault)] += 1
            if fault.for_ever:
                refuse_to_start(data, fault, told)
            instance = start_alight(data, timeout=60)
            check(instance, told)
        assert instance.stop() == 0
        assert instance.alight("verify").returncode == 0
    finally:
        sweep(instance.process)
    print(
        f"\nseed {seed}: {ROUNDS} errors ({dict(told.ends)}), {len(told.bodies)} objects answered with 200: 0 lost;"
        f" {told.after} answered after an error; gone at the latest after {told.slowest:.2f} s"
    )
    assert told.after == 0
