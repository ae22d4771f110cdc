"""The wall clock is set under the real runtime, by an hour, by hours and by years, while first attempts run: their
retries come in their time, no event is too old for it, no worker a stranger with keys that have run out. A presigned
link goes by the wall clock, as on AWS: it is good while that says so, and only then."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from tests.crash.rig import KEEPS_BOOKS, TOLD_BY_WEBHOOK, House, rig, say
from tests.crash.shifted import ShiftedClock
from tests.support import Instance, eventually
from tests.walk.making import books

DELAY = 2.0
#: Forward by more than an event may grow old (6 hours) and a worker's keys live (14).
YEAR = 365 * 86_400
STEPS = (-3600, 15 * 3600, 10 * YEAR, -10 * YEAR)

#: Fails the first time, once the clock is set, which a file says that has the name of its object. Each beginning and
#: each failure is noted with the machine's monotonic time.
CODE = (
    KEEPS_BOOKS
    + """
import pathlib, time
sts = boto3.client("sts")
def note(key):
    with open(os.environ["TIMES"], "a") as file:
        file.write(json.dumps({"key": key, "at": time.monotonic()}) + chr(10))
def handler(event, context):
    key = begun(event, context)
    first = all(json.loads(line)["key"] != key for line in open(os.environ["TIMES"]))
    note(key)
    sts.get_caller_identity()
    if not first:
        tell(key, context, "again")
        return
    while not pathlib.Path(os.environ["FLAGS"], key).exists():
        time.sleep(0.005)
    sts.get_caller_identity()
    note(key)
    raise RuntimeError("the first time")
"""
)


@pytest.mark.tool("cc")
@pytest.mark.slow
def test_what_waits_goes_with_a_clock_that_is_set(tmp_path: Path) -> None:
    clock, noted = ShiftedClock(tmp_path), tmp_path / "times"
    noted.write_text("")
    settings = {
        **clock.settings,
        "ALIGHT_RETRY_DELAYS": f"{DELAY},{DELAY}",
        "ALIGHT_WORKER_PATHS": str(tmp_path),
        "ALIGHT_CONCURRENCY": "4",
    }
    # Workers live by the same wrong clock.
    variables = {"TIMES": str(noted), "FLAGS": str(tmp_path), **clock.settings}
    house = House(CODE, variables=variables, replicas=0, settings=settings, terms=TOLD_BY_WEBHOOK)
    with rig(tmp_path, house) as made:
        instance = made.instance
        assert instance is not None
        flags = [f"go-{number}" for number in range(len(STEPS))]
        for flag in flags:
            assert made.put(flag)
        eventually(lambda: len(attempts(noted)) == len(STEPS), 30, "the first attempts")
        link, asked = link_to_an_object(instance), list[int]()
        for number, (seconds, flag) in enumerate(zip(STEPS, flags, strict=True), 1):
            made.books.note("fault", what=f"clock set by {seconds} s")
            clock.set(seconds)
            (tmp_path / flag).touch()
            eventually(partial(has_ended, instance, number), 40, "the retries")
            asked.append(status_of(link))
        clock.set(0)
        asked.append(status_of(link))
        found = made.settle()
    # First begun, failed, and begun again.
    gaps = [again - failed for _, failed, again in attempts(noted).values()]
    say(found, None, f"clock set by {STEPS} s: retries after {min(gaps):.2f} to {max(gaps):.2f} s")
    assert found.numbers["of them succeeded"] == len(STEPS)
    assert found.numbers["attempts begun by handlers"] == 2 * len(STEPS)
    assert asked == [403] * len(STEPS) + [200], "not yet, no longer, and in its time"
    assert min(gaps) >= DELAY - 0.1
    assert max(gaps) < DELAY + 20


def link_to_an_object(instance: Instance) -> str:
    """Good for ten minutes from now."""
    s3 = instance.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="links")
    s3.put_object(Bucket="links", Key="object", Body=b"linked")
    place = {"Bucket": "links", "Key": "object"}
    return str(s3.generate_presigned_url("get_object", Params=place, ExpiresIn=600))


def status_of(link: str) -> int:
    try:
        with urllib.request.urlopen(link, timeout=20) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def has_ended(instance: Instance, events: int) -> bool:
    return bool(books(instance)["succeeded"] == events)


def attempts(noted: Path) -> dict[str, list[float]]:
    times: dict[str, list[float]] = defaultdict(list)
    for line in noted.read_text().splitlines():
        times[json.loads(line)["key"]].append(json.loads(line)["at"])
    return times
