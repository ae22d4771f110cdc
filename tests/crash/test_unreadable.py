"""The disk cannot read: whoever asks is told so, and nobody gets other bytes, half of them, or "there is no such key".

strace makes reads of the database, or of objects' files, give EIO for as long as it is attached.
ALIGHT_CHAOS_UNREADABLE says how many rounds there are; without it, one of each kind.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.crash.attached import attached
from tests.crash.rig import BUCKET, Rig, rig, say
from tests.crash.test_disk_errors import GONE, HOUSE, LARGE, SMALL, Told, put
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import events, make_function, make_role

ROUNDS = int(os.environ.get("ALIGHT_CHAOS_UNREADABLE") or 2)
OBJECTS = 6


def unreadable(instance: Instance, files: list[Path], log: Path) -> AbstractContextManager[None]:
    """Every read of these files fails until the end of this."""
    calls = "read,pread64,preadv,preadv2"
    options = ["-f", "-e", "signal=none", "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
    return attached(instance, options, files, log)


def ask(s3: Any, told: Told, ends: Counter[str]) -> None:
    """Read everything that is there, and a list of it. What is answered has to be right."""
    for key, body in told.bodies.items():
        try:
            answer = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            ends[_name(error)] += 1
        else:
            ends["right" if answer == body else "WRONG"] += 1
    try:
        listed = {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
    except (BotoCoreError, ClientError) as error:
        ends[_name(error)] += 1
    else:
        ends["right" if listed >= told.bodies.keys() else "WRONG"] += 1


def asked(s3: Any, told: Told) -> set[str]:
    ask(s3, told, ends := Counter[str]())
    return set(ends)


def _name(error: Exception) -> str:
    """What was answered; whatever says that there is no such thing is wrong."""
    if not isinstance(error, ClientError):
        return type(error).__name__
    status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return f"{status} {error.response['Error']['Code']}" if status >= 500 else f"WRONG {status}"


def begin_again(made: Rig) -> None:
    """After it has ended for the disk's sake."""
    assert made.instance is not None
    assert made.instance.process.wait(GONE) == 74
    made.begin()


@pytest.mark.tool("strace")
@pytest.mark.slow
@pytest.mark.timeout(120 + 40 * ROUNDS)
def test_what_cannot_be_read_is_an_error_and_never_other_data(tmp_path: Path) -> None:
    told, calls = Told(), tmp_path / "calls"
    ends: dict[str, Counter[str]] = {"database": Counter(), "objects' files": Counter()}
    with rig(tmp_path, HOUSE) as made:
        for number in range(ROUNDS):
            what = list(ends)[number % 2]
            for index in range(OBJECTS):
                assert put(made, f"{number}/{index}", os.urandom((SMALL, LARGE)[index % 2]), told)
            assert made.instance is not None
            assert made.instance.stop() == 0
            instance, s3 = made.begin(), made.client  # which has nothing in memory
            files = list(made.data.glob("alight.db*")) if what == "database" else list(made.data.glob("bodies/*/*"))
            made.books.note("fault", what=what)
            with unreadable(instance, files, calls):
                ask(s3, told, ends[what])
            assert "(INJECTED)" in calls.read_text()
            # The disk is well again, and so is the runtime, unless it had to write something of its own meanwhile.
            # It may be about to end: then it answers some, all of it right, and the next one the others.
            found = asked(s3, told)
            assert not [name for name in found if "WRONG" in name]
            if found != {"right"}:
                begin_again(made)
                assert asked(s3, told) == {"right"}
            made.books.note("fault", what=what)
            with unreadable(made.instance, files, calls):
                written = [put(made, f"{number}/meanwhile-{index}", os.urandom(SMALL), told) for index in range(2)]
                ask(s3, told, ends[what])
            if what == "database":
                # Whoever writes has to read first: nothing more is promised.
                assert not any(written)
                begin_again(made)
            assert asked(s3, told) == {"right"}
        balance = made.settle()
    say(balance, None, f"{ROUNDS} rounds, {len(told.bodies)} objects; while nothing could be read: {ends}")
    assert not [name for counted in ends.values() for name in counted if "WRONG" in name]
    assert all(counted["right"] < counted.total() for counted in ends.values()), "nothing failed"


@pytest.mark.tool("strace")
@pytest.mark.slow
def test_a_dispatcher_that_cannot_read_ends_it_as_any_error_of_the_disk(tmp_path: Path) -> None:
    """Nobody asks for anything: a retry falls due, and the look behind its lease cannot be taken."""
    data = tmp_path / "data"
    instance = start_alight(data, timeout=60, ALIGHT_RETRY_DELAYS="5")
    try:
        make_role(instance)
        make_function(instance, "fails", "def handler(event, context):\n    raise ValueError\n")
        instance.client("lambda").invoke(FunctionName="fails", InvocationType="Event")["Payload"].read()
        eventually(lambda: [event["attempts"] for event in events(instance)] == [1], 30, "the first attempt")
        with unreadable(instance, list(data.glob("alight.db*")), tmp_path / "calls"):
            assert instance.process.wait(GONE) == 74
        said = (tmp_path / "data.stderr").read_text()
        assert "Alight stops: the disk refused a read" in said
        assert "Traceback" not in said, said
    finally:
        sweep(instance.process)
