"""The main job on real input: a picture lands, a species is named, somebody is told."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import Instance, clean_environment, eventually, find_tool, steady_port
from tests.walk.conftest import EXAMPLE, PICTURES, Birds
from tests.walk.sinks import Webhook

#: Version 1 has no `tail`.
TAIL = {"aws": ("filter-log-events", "--log-group-name"), "aws2": ("tail",)}


def aws(birds: Birds, tool: str, *words: str, folder: Path = EXAMPLE) -> str:
    """Run the real aws CLI against the instance; version 2 of Debian does not read AWS_ENDPOINT_URL."""
    path = find_tool(tool)
    assert path is not None
    answer = subprocess.run(
        [path, *words, "--endpoint-url", birds.instance.url],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=clean_environment(**birds.instance.variables),
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_each_picture_is_named_and_told_in_both_forms(birds: Birds, hook: Webhook) -> None:
    birds.subscribe(hook)
    for name, picture in PICTURES.items():
        birds.put(f"birds/{name}", picture)
    messages = {arrival.message for arrival in hook.wait_for(len(PICTURES))}
    assert "Bird [birds/king-penguin.jpg] is a: King Penguin(0.98)" in messages
    [uncertain] = [message for message in messages if "may be a" in message]
    assert uncertain.startswith("Bird [birds/magpie.jpg] may be a: Magpie(0.")
    assert ", or " in uncertain
    assert len(hook.arrivals) == len(PICTURES), "each once"


def test_only_what_the_trigger_names_is_handled(birds: Birds, hook: Webhook) -> None:
    birds.subscribe(hook)
    picture = PICTURES["duck.jpg"]
    for key in ("duck.jpg", "birds/duck.png", "bird/duck.jpg"):
        birds.put(key, picture)
    birds.put("birds/mein Vogel+1 ü.jpg", picture)
    [arrival] = hook.wait_for(1)
    assert arrival.message.startswith("Bird [birds/mein Vogel+1 ü.jpg] is a: ")
    assert birds.instance.json("status")["books"]["accepted"] == 1


@pytest.mark.parametrize("tool", ["aws", pytest.param("aws2", marks=pytest.mark.tool("aws2"))])
def test_the_lab_with_the_real_command_line(birds: Birds, hook: Webhook, tool: str, tmp_path: Path) -> None:
    birds.subscribe(hook)
    bucket, function = birds.outputs["BucketName"], birds.outputs["FunctionName"]
    aws(birds, tool, "s3", "cp", "pictures/king-penguin.jpg", f"s3://{bucket}/birds/card.jpg")
    [arrival] = hook.wait_for(1)
    assert arrival.message == "Bird [birds/card.jpg] is a: King Penguin(0.98)"
    log = eventually(
        lambda: _with(aws(birds, tool, "logs", *TAIL[tool], f"/aws/lambda/{function}"), "REPORT"),
        what="the REPORT line",
    )
    expected = [
        "START RequestId: ",
        "KEY: birds/card.jpg",
        f"CONTENT LENGTH: {len(PICTURES['king-penguin.jpg'])}",
        "CONTENT TYPE: image/jpeg",
        "Invoking bird species identification endpoint",
        "msg: Bird [birds/card.jpg] is a: King Penguin(0.98)",
        "Publishing message to SNS topic: arn:aws:sns:",
        "SNS Publish Response: {",
        "END RequestId: ",
        "REPORT RequestId: ",
    ]
    places = [log.index(line) for line in expected]
    assert places == sorted(places), "in this order"
    answer = tmp_path / "answer.json"
    aws(
        birds, tool, "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", birds.outputs["EndpointName"],
        "--content-type", "application/x-image", "--body", "fileb://pictures/duck.jpg", str(answer),
    )  # fmt: skip
    assert answer.read_text().count(",") == 58, "59 probabilities"
    event = '{"Records": []}'
    raw = ["--cli-binary-format", "raw-in-base64-out"] if tool == "aws2" else []
    tail = aws(
        birds, tool, "lambda", "invoke", "--function-name", function, "--payload", event, "--log-type", "Tail",
        *raw, str(answer),
    )  # fmt: skip
    assert answer.read_text() == '"success"'
    assert "LogResult" in tail
    topic = birds.outputs["TopicArn"]
    published = aws(birds, tool, "sns", "publish", "--topic-arn", topic, "--message", "Bird [x] Machine learning!")
    assert "MessageId" in published
    assert any("Machine learning!" in arrival.message for arrival in hook.wait_for(2))


def _with(text: str, word: str) -> str | None:
    return text if word in text else None


def test_the_story_of_an_event_tells_every_step(birds: Birds, hook: Webhook) -> None:
    birds.subscribe(hook)
    birds.put("birds/duck.jpg", PICTURES["duck.jpg"])
    hook.wait_for(1)
    [event] = eventually(lambda: birds.instance.json("events", "list")["events"])
    story: dict[str, Any] = eventually(
        lambda: _told(birds.instance.json("explain", event["id"])), what="the delivery in the story"
    )
    [attempt] = story["steps"]
    assert [step["what"] for step in attempt["steps"] if step["what"] != "start of a worker"] == [
        "s3 GetObject", "sagemaker-runtime InvokeEndpoint", "sns Publish",
    ]  # fmt: skip
    assert {message["protocol"]: message["state"] for message in story["messages"]} == {"http": "sent", "sms": "held"}
    assert any("msg: Bird [birds/duck.jpg]" in line["message"] for line in story["logs"])


def _told(story: dict[str, Any]) -> dict[str, Any] | None:
    sent = any(message["state"] == "sent" for message in story["messages"])
    return story if sent and story["logs"] and story["steps"] else None


def test_a_link_leads_to_the_public_address_and_lives_on_after_a_restart(
    start: Callable[..., Instance], hook: Webhook
) -> None:
    port = steady_port()
    public = f"http://localhost:{port}"
    settings = {"ALIGHT_PUBLIC_URL": public, "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1", "timeout": 60}
    instance = start(EXAMPLE, port=port, **settings)
    birds = Birds(instance, instance.json("outputs"), lambda: birds)
    birds.subscribe(hook)
    functions, name = instance.client("lambda"), birds.outputs["FunctionName"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"LINK_EXPIRES": "43200"}}
    )
    birds.put("birds/duck.jpg", PICTURES["duck.jpg"])
    [arrival] = hook.wait_for(1)
    sentence, link = arrival.message.splitlines()
    assert sentence.startswith("Bird [birds/duck.jpg] is a: ")
    assert link.startswith(f"{public}/")
    assert fetched(link) == PICTURES["duck.jpg"]
    instance.kill()
    start(EXAMPLE, port=port, **settings)
    assert fetched(link) == PICTURES["duck.jpg"]


def fetched(link: str) -> bytes:
    with urllib.request.urlopen(link, timeout=20) as answer:
        body: bytes = answer.read()
        return body
