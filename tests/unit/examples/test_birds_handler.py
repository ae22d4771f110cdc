"""The handler of examples/birds, as it is, against stubbed boto3 clients."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

EXAMPLE = Path(__file__).parents[3] / "examples" / "birds"
LABELS = (EXAMPLE / "src" / "labels.txt").read_text().splitlines()
TOPIC = "arn:aws:sns:us-east-1:000000000000:birds"
KEY = "birds/card.jpg"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as a worker imports it."""
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "SAGEMAKER_ENDPOINT_NAME": "species",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("SNS_TOPIC_ARN", "CERTAINTY_THRESHOLD", "TOP_K", "LINK_EXPIRES", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("birds_app", EXAMPLE / "src" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stubs(app: ModuleType) -> Iterator[dict[str, Stubber]]:
    made = {name: Stubber(getattr(app, name)) for name in ("s3", "runtime", "sns")}
    for stub in made.values():
        stub.activate()
    yield made
    for stub in made.values():
        stub.assert_no_pending_responses()


def body(content: bytes) -> StreamingBody:
    return StreamingBody(io.BytesIO(content), len(content))


def answers(**guesses: float) -> bytes:
    """The endpoint's reply: one probability per class, in the classes' order."""
    return json.dumps([guesses.get(label.replace(" ", "_"), 0.0) for label in LABELS]).encode()


@pytest.fixture
def expect(stubs: dict[str, Stubber]) -> Callable[..., None]:
    def expected(key: str, answer: bytes) -> None:
        picture = {"Body": body(b"jpeg"), "ContentLength": 4, "ContentType": "image/jpeg"}
        stubs["s3"].add_response("get_object", picture, {"Bucket": "box", "Key": key})
        asked = {"EndpointName": "species", "ContentType": "application/x-image", "Body": b"jpeg"}
        stubs["runtime"].add_response("invoke_endpoint", {"Body": body(answer)}, asked)

    return expected


def event(*keys: str) -> dict[str, Any]:
    return {"Records": [{"s3": {"bucket": {"name": "box"}, "object": {"key": quote_plus(key)}}} for key in keys]}


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_certain_answer_in_the_labs_words(
    app: ModuleType, expect: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    expect(KEY, answers(Toucan=0.976, Hen=0.01))
    assert app.handler(event(KEY), None) == "success"
    assert printed(capsys) == [
        "KEY: birds/card.jpg",
        "CONTENT LENGTH: 4",
        "CONTENT TYPE: image/jpeg",
        "Invoking bird species identification endpoint",
        "msg: Bird [birds/card.jpg] is a: Toucan(0.98)",
        "There is no SNS_TOPIC_ARN: nobody is told.",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Bird [birds/card.jpg] may be a: Toucan(0.45), or Hen(0.30)"),
        ({"TOP_K": "3"}, "Bird [birds/card.jpg] may be a: Toucan(0.45), or Hen(0.30), or Ostrich(0.20)"),
        ({"TOP_K": "1"}, "Bird [birds/card.jpg] may be a: Toucan(0.45)"),
        ({"CERTAINTY_THRESHOLD": "0.4"}, "Bird [birds/card.jpg] is a: Toucan(0.45)"),
        ({"CERTAINTY_THRESHOLD": "0.45"}, "Bird [birds/card.jpg] may be a: Toucan(0.45), or Hen(0.30)"),
    ],
)
def test_an_uncertain_answer_names_the_likeliest(
    app: ModuleType,
    expect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    message: str,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    expect(KEY, answers(Ostrich=0.2, Hen=0.3, Toucan=0.45))
    app.handler(event(KEY), None)
    assert f"msg: {message}" in printed(capsys)


def test_the_topic_gets_the_message(
    app: ModuleType,
    expect: Callable[..., None],
    stubs: dict[str, Stubber],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SNS_TOPIC_ARN", TOPIC)
    expect(KEY, answers(Toucan=0.9))
    message = "Bird [birds/card.jpg] is a: Toucan(0.90)"
    stubs["sns"].add_response("publish", {"MessageId": "m1"}, {"TopicArn": TOPIC, "Message": message})
    app.handler(event(KEY), None)
    assert printed(capsys)[-2:] == [
        f"Publishing message to SNS topic: {TOPIC}",
        "SNS Publish Response: {'MessageId': 'm1'}",
    ]


def test_keys_are_decoded_and_every_record_is_handled(app: ModuleType, expect: Callable[..., None]) -> None:
    keys = ("birds/a b+c.jpg", "birds/müsli 1.jpg")
    for key in keys:
        expect(key, answers(Toucan=0.9))
    app.handler(event(*keys), None)


@pytest.mark.parametrize(("seconds", "valid"), [("600", 600), ("86400", 43200)])
def test_a_link_to_the_picture_on_request(
    app: ModuleType,
    expect: Callable[..., None],
    stubs: dict[str, Stubber],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: str,
    valid: int,
) -> None:
    monkeypatch.setenv("LINK_EXPIRES", seconds)
    expect(KEY, answers(Toucan=0.9))
    app.handler(event(KEY), None)
    [line, link] = [text.removeprefix("msg: ") for text in printed(capsys) if text.startswith("msg: ")]
    assert line == "Bird [birds/card.jpg] is a: Toucan(0.90)"
    assert link.startswith("http://127.0.0.1:4566/box/birds/card.jpg?")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link
    assert f"X-Amz-Expires={valid}" in link


def test_a_failing_endpoint_fails_the_event_so_that_it_is_tried_again(
    app: ModuleType, stubs: dict[str, Stubber]
) -> None:
    picture = {"Body": body(b"jpeg"), "ContentLength": 4, "ContentType": "image/jpeg"}
    stubs["s3"].add_response("get_object", picture)
    stubs["runtime"].add_client_error("invoke_endpoint", "ValidationError", "Endpoint species not found.")
    with pytest.raises(app.runtime.exceptions.ClientError, match="not found"):
        app.handler(event(KEY), None)


def test_an_answer_for_other_classes_is_an_error(app: ModuleType, expect: Callable[..., None]) -> None:
    expect(KEY, b"[0.5, 0.5]")
    with pytest.raises(ValueError, match="shorter"):
        app.handler(event(KEY), None)


def test_the_handler_and_the_model_name_the_same_classes() -> None:
    assert (EXAMPLE / "model" / "labels.txt").read_text() == (EXAMPLE / "src" / "labels.txt").read_text()
    assert len(LABELS) == 59
