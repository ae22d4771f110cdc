"""Every command against the running birds: what people type after the first picture, the good one and the bad one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import BIN, clean_environment, eventually, start_alight, sweep
from tests.walk.conftest import EXAMPLE, PICTURES, Birds

DUCK = "birds/my first duck.jpg"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Birds]:
    """The birds for tests that mind nothing of what others have done."""
    instance = start_alight(tmp_path_factory.mktemp("house") / "data", EXAMPLE, timeout=60)
    yield Birds(instance, instance.json("outputs"), pytest.fail)
    sweep(instance.process)


def events(birds: Birds, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = birds.instance.json("events", "list", "--state", state)["events"]
    return found


def bodies(birds: Birds) -> list[str]:
    return [item["body"] for item in birds.instance.json("outbox")["deliveries"]]


def test_a_good_picture(birds: Birds) -> None:
    birds.put(DUCK, PICTURES["duck.jpg"])
    event = eventually(lambda: events(birds, "succeeded"), what="the event")[0]

    assert len(bodies(birds)) == 1
    assert bodies(birds)[0].startswith(f"Bird [{DUCK}] ")
    shown = birds.instance.json("events", "show", event["id"])
    assert shown["payload"]["Records"][0]["s3"]["object"]["key"] == "birds/my+first+duck.jpg"
    story = birds.instance.alight("explain", event["id"])
    assert story.returncode == 0
    for word in ("GetObject", "InvokeEndpoint", "Publish", "message to sms", "REPORT"):
        assert word in story.stdout
    logs = birds.instance.alight("logs", birds.outputs["FunctionName"], "--request", event["id"])
    assert f"msg: Bird [{DUCK}]" in logs.stdout
    status = birds.instance.json("status")
    assert status["books"]["succeeded"] == 1
    assert [item["status"] for item in birds.instance.json("models")["endpoints"]] == ["InService"]


def test_replay_is_a_new_event_with_a_message_of_its_own(birds: Birds) -> None:
    birds.put(DUCK, PICTURES["duck.jpg"])
    first = eventually(lambda: events(birds, "succeeded"), what="the event")[0]
    made = birds.instance.json("events", "replay", first["id"])["id"]
    eventually(lambda: len(events(birds, "succeeded")) == 2, what="the replay")
    assert made != first["id"]
    assert len(bodies(birds)) == 2


def test_a_bad_picture_is_a_dead_letter_that_can_be_redriven(birds: Birds) -> None:
    birds.put("birds/not a picture.jpg", b"nothing of the kind")
    dead = eventually(lambda: events(birds, "dead"), what="the dead letter")[0]
    assert dead["error"]
    assert bodies(birds) == []

    would = birds.instance.json("events", "redrive", "--all", "--dry-run")
    assert would["ids"] == [dead["id"]]
    assert len(events(birds, "dead")) == 1
    birds.put("birds/not a picture.jpg", PICTURES["duck.jpg"])  # the cause is mended; an event of its own
    birds.instance.json("events", "redrive", dead["id"])
    eventually(lambda: len(events(birds, "succeeded")) == 2, what="the second life")
    assert len(bodies(birds)) == 2


def test_a_function_by_hand(house: Birds) -> None:
    function = house.outputs["FunctionName"]
    failed = house.instance.alight("invoke", function, '{"no": "records"}')
    assert failed.returncode == 1
    assert "KeyError" in failed.stdout + failed.stderr
    assert "REPORT RequestId" in failed.stderr
    unknown = house.instance.alight("invoke", "nobody")
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr
    accepted = house.instance.json("invoke", function, '{"Records": []}', "--event")
    eventually(lambda: [e for e in events(house, "succeeded") if e["id"] == accepted["event_id"]], what="the event")


def test_the_template_again_changes_nothing(house: Birds) -> None:
    again = house.instance.json("plan", str(EXAMPLE))
    assert {step["action"] for step in again["plan"]} <= {"keep", "unchanged"}
    applied = house.instance.json("apply", str(EXAMPLE))
    assert applied["outputs"] == house.outputs


def test_a_broken_template_is_told_with_its_place(house: Birds, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Resources:\n  Table:\n    Type: AWS::DynamoDB::Table\n")
    said = house.instance.alight("plan", str(tmp_path))
    assert said.returncode == 1
    assert "AWS::DynamoDB::Table" in said.stderr
    assert "template.yaml" in said.stderr


def test_doctor_of_a_running_instance(house: Birds) -> None:
    answer = house.instance.json("doctor", str(EXAMPLE))
    assert {check["state"] for check in answer["checks"]} <= {"ok", "warning"}
    found = {check["name"]: check["detail"] for check in answer["checks"]}
    assert str(house.instance.process.pid) in found["instance"]


def test_logs_follow_what_comes(house: Birds) -> None:
    command = [str(BIN / "alight"), "logs", "-f", "--data", str(house.instance.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()) as following:
        assert following.stdout is not None
        try:
            house.put(DUCK, PICTURES["duck.jpg"])
            for line in following.stdout:
                if "msg: Bird" in line:
                    break
            else:
                pytest.fail("the log ended before the message")
            following.send_signal(signal.SIGINT)
            following.stdout.read()
        except BaseException:
            following.kill()
            raise
    assert following.returncode == 130


def test_a_reader_that_leaves_early_is_no_error(house: Birds) -> None:
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "{BIN}/alight" status --json --data "{house.instance.data}" | head -1'],
        capture_output=True, text=True, env=clean_environment() | {"PATH": os.environ["PATH"]}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout + "}") == {}
