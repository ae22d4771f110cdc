"""Dead events are brought back by what they were, how they failed and when; a few a second, where that is wanted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from alight.cli.instance import open_door
from alight.errors import AlightError
from tests.crash.pending import fill
from tests.support import Instance, Start, eventually
from tests.walk.making import books, make_function, make_role

#: A batch of a redrive holds 500; there are more.
MANY = 1_200
HOUR = 3600.0
CODE = "def handler(event, context):\n    return 1\n"


def redriven(instance: Instance, *words: str) -> list[Any]:
    answer = instance.alight("events", "redrive", *words, "--json")
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def dead(reason: str, kind: str) -> str:
    return json.dumps({"reason": reason, "errorType": kind, "errorMessage": "no"})


def test_the_dead_are_chosen_and_brought_back_at_a_rate(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = start(data=data)
    make_role(first)
    one, two = (make_function(first, name, CODE) for name in ("one", "two"))
    assert first.stop() == 0
    now, tired = time.time(), dead("RetriesExhausted", "KeyError")
    fill(data, one, MANY, name="new/", state="dead", finished=now - 60, error=tired)
    fill(data, one, 3, name="old/", state="dead", finished=now - 5 * HOUR, error=tired)
    fill(data, two, 4, name="sp ace/".replace(" ", "+"), state="dead", bucket="other", finished=now, error=tired)
    fill(data, two, 5, name="late/", state="dead", finished=now, error=dead("EventAgeExceeded", "KeyError"))
    instance = start(data=data)

    def count(**filter: Any) -> int:
        answer = open_door(data).post("events/redrive", {"filter": filter, "dry_run": True})
        assert len(answer["ids"]) == answer["count"]
        return int(answer["count"])

    assert count() == MANY + 12
    assert count(function="one") == MANY + 3
    assert count(reason="EventAgeExceeded") == 5
    assert count(reason="KeyError", function="two") == 9
    assert count(since=now - HOUR) == MANY + 9
    assert count(before=now - HOUR) == 3
    assert count(bucket="other") == 4
    assert count(prefix="sp ace/") == 4
    assert count(bucket="full", prefix="late/", reason="RetriesExhausted") == 0
    for wrong in ({"colour": "red"}, {"since": "soon"}, {"before": -1}):
        with pytest.raises(AlightError):
            count(**wrong)
    assert books(instance)["dead"] == MANY + 12  # nothing was brought back so far

    began = time.monotonic()
    lines = redriven(instance, "--bucket", "other", "--rate", "2")
    took = time.monotonic() - began
    assert lines == [{"matched": 4}, {"redriven": 2}, {"redriven": 4}]
    assert took >= 1  # two, a second, two
    said = instance.alight("events", "redrive", "--prefix", "late/", "--rate", "100")
    assert said.stdout.splitlines() == ["5 dead events were brought back."]
    assert said.stderr.splitlines() == ["5 of 5 brought back"]
    answer = instance.json("events", "redrive", "--function", "one", "--since", "1h")
    assert answer["count"] == MANY
    assert answer["ids"][0] == "new-1"  # oldest first
    eventually(lambda: books(instance)["succeeded"] == MANY + 9, 60)
    assert books(instance)["dead"] == 3
    print(f"redrive: {MANY + 12} dead, 9 ways to choose, {len(lines) - 1} batches at 2 a second took {took:.2f} s")
