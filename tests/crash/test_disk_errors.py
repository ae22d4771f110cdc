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

import pytest

from tests.crash.attached import attached
from tests.crash.rig import BUCKET, NOTES, TOLD_TO_NOBODY, House, Rig, rig, say
from tests.support import Instance

ROUNDS = int(os.environ.get("ALIGHT_CHAOS_DISK_ERRORS") or 3)
LARGE, MIDDLE, SMALL = 300_000, 150_000, 500
#: Seconds in which the runtime has to be gone; a loaded machine takes its time.
GONE = 20

#: Nobody is told of anything: what is compared is what was answered, worked on and kept.
HOUSE = House(NOTES, replicas=0, terms=TOLD_TO_NOBODY)


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
    Fault("fsync", "EIO", MIDDLE),  # a pack
    Fault("pwrite64", "EIO", MIDDLE),
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
    """What the client was told, beside the books."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    after: int = 0
    slowest: float = 0.0


def failing(instance: Instance, fault: Fault, log: Path) -> AbstractContextManager[None]:
    """From here on the next call of this kind fails, once in each thread."""
    return attached(instance, fault.inject, [instance.data / name for name in fault.files], log)


def put(made: Rig, key: str, body: bytes, told: Told) -> bool:
    if not made.put(key, body):
        return False
    told.bodies[key] = body
    return True


def meet(made: Rig, fault: Fault, name: str, log: Path, told: Told) -> None:
    """PUT until one is not answered with 200, then some more, of which none may be."""
    instance, chance = made.instance, random.Random(name)
    assert instance is not None
    # What is promised when it comes, some of it not yet begun.
    assert all(
        put(made, f"{name}/before-{index}", chance.randbytes((SMALL, LARGE)[index % 2]), told) for index in range(3)
    )
    made.books.note("fault", what=str(fault))
    with failing(instance, fault, log):
        number = 0
        # The witness is written a second after a commit: somebody has to ask until then.
        while put(made, f"{name}/{number}", chance.randbytes(fault.size), told):
            number += 1
            assert number < 3000, "nothing failed"
        began = time.monotonic()
        while instance.process.poll() is None and time.monotonic() < began + GONE:
            told.after += put(made, f"{name}/after-{time.monotonic()}", chance.randbytes(SMALL), told)
            told.after += put(made, f"{name}/after-{time.monotonic()}", chance.randbytes(LARGE), told)
            threading.Event().wait(0.01)
        assert instance.process.poll() is not None, f"{fault}: it went on"
        told.slowest = max(told.slowest, time.monotonic() - began)
    assert "(INJECTED)" in log.read_text()


def refuse_to_start(made: Rig, fault: Fault, told: Told) -> None:
    """As long as the disk is not well, a start ends before it serves, or with the first write, and says why."""
    stderr = made.data.with_name("data.stderr")
    stderr.write_text("")
    made.books.note("fault", what=str(fault))
    ended = ""
    try:
        instance = made.begin("strace", "-b", "execve", "-o", os.devnull, *fault.inject)
    except AssertionError as error:
        ended = str(error)
    else:
        told.after += put(made, f"for-ever-{sum(told.ends.values())}", b"never", told)
        assert instance.process.wait(GONE) == 74
    assert not ended or "stopped before it was ready" in ended
    said = stderr.read_text()
    assert "Traceback" not in said, said
    assert "cannot be opened" in said or "the disk refused a write" in said, said


def check(made: Rig, told: Told) -> None:
    """All that was answered with 200 is there, byte for byte."""
    for key, body in told.bodies.items():
        assert made.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body, key


@pytest.mark.tool("strace")
@pytest.mark.slow
@pytest.mark.timeout(120 + 40 * ROUNDS)
def test_an_error_of_the_disk_ends_it_at_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    chance = random.Random(seed)
    # The three that matter most come first; then all, in any order.
    order = [*FAULTS[:3], *chance.sample(FAULTS[3:], len(FAULTS) - 3)]
    told = Told()
    stderr = tmp_path / "data.stderr"
    with rig(tmp_path, HOUSE) as made:
        for number in range(ROUNDS):
            fault = order[number % len(order)]
            stderr.write_text("")
            meet(made, fault, f"round-{number}", tmp_path / "calls", told)
            said = stderr.read_text()
            assert made.instance is not None
            assert made.instance.process.wait(GONE) == 74, said
            assert "Alight stops: the disk refused a write" in said
            assert "Start it again once the disk is well." in said
            told.ends[str(fault)] += 1
            if fault.for_ever:
                refuse_to_start(made, fault, told)
            made.begin()
            check(made, told)
        found = made.settle()
    say(
        found,
        seed,
        f"{ROUNDS} errors ({dict(told.ends)}), {told.after} answered after an error; gone at the latest after"
        f" {told.slowest:.2f} s",
    )
    assert told.after == 0
