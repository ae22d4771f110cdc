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
from typing import Any

import pytest

from tests.crash.shifted import ShiftedClock
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import books, make_function, make_role

#: For each of the steps.
EVENTS = 1
DELAY = 2.0
#: Forward by more than an event may grow old (6 hours) and a worker's keys live (14).
YEAR = 365 * 86_400
STEPS = (-3600, 15 * 3600, 10 * YEAR, -10 * YEAR)

#: Fails the first time, once the clock is set; each attempt is noted with the machine's monotonic time.
CODE = """
import boto3, json, os, pathlib, time
def handler(event, context):
    path = os.environ["BOOKS"]
    seen = [json.loads(line)["event"] for line in open(path)]
    with open(path, "a") as file:
        file.write(json.dumps({"event": context.aws_request_id, "at": time.monotonic()}) + chr(10))
    boto3.client("sts").get_caller_identity()
    if context.aws_request_id not in seen:
        while not pathlib.Path(event["waits_for"]).exists():
            time.sleep(0.005)
        boto3.client("sts").get_caller_identity()
        with open(path, "a") as file:
            file.write(json.dumps({"event": context.aws_request_id, "at": time.monotonic()}) + chr(10))
        raise RuntimeError("the first time")
"""


@pytest.mark.tool("cc")
@pytest.mark.slow
def test_what_waits_goes_with_a_clock_that_is_set(tmp_path: Path) -> None:
    clock, noted = ShiftedClock(tmp_path), tmp_path / "books"
    noted.write_text("")
    preload: dict[str, Any] = {
        **clock.settings,
        "ALIGHT_RETRY_DELAYS": f"{DELAY},{DELAY}",
        "ALIGHT_WORKER_PATHS": str(tmp_path),
        "ALIGHT_CONCURRENCY": "4",
    }
    instance = start_alight(tmp_path / "data", timeout=60, **preload)
    try:
        make_role(instance)
        # Workers live by the same wrong clock.
        variables = {"BOOKS": str(noted), **clock.settings}
        make_function(instance, "retried", CODE, 30, **variables)
        flags = [tmp_path / f"go-{number}" for number in range(len(STEPS))]
        for flag in flags:
            begin(instance, flag)
        eventually(lambda: len(attempts(noted)) == len(STEPS) * EVENTS, 30, "the first attempts")
        link, asked = link_to_an_object(instance), list[int]()
        for number, (seconds, flag) in enumerate(zip(STEPS, flags, strict=True), 1):
            clock.set(seconds)
            flag.touch()
            eventually(partial(has_ended, instance, number * EVENTS), 40, "the retries")
            asked.append(status_of(link))
        clock.set(0)
        asked.append(status_of(link))
        found = books(instance)
        assert instance.stop() == 0
    finally:
        sweep(instance.process)
    # First begun, failed, and begun again.
    gaps = [again - failed for _, failed, again in attempts(noted).values()]
    print(f"\n{found['accepted']} events, clock set by {STEPS} s: retries after {min(gaps):.2f} to {max(gaps):.2f} s")
    assert found["accepted"] == found["succeeded"] == len(STEPS) * EVENTS
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


def begin(instance: Instance, flag: Path) -> None:
    for _ in range(EVENTS):
        payload = json.dumps({"waits_for": str(flag)})
        instance.client("lambda").invoke(FunctionName="retried", InvocationType="Event", Payload=payload)[
            "Payload"
        ].read()


def attempts(noted: Path) -> dict[str, list[float]]:
    times: dict[str, list[float]] = defaultdict(list)
    for line in noted.read_text().splitlines():
        times[json.loads(line)["event"]].append(json.loads(line)["at"])
    return times
