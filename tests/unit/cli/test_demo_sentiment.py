"""`alight demo sentiment`, with a double in the runtime's place."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import boto3
import pytest

from alight.cli import demo
from alight.cli.demos import sentiment
from tests.unit.cli.conftest import Ask
from tests.unit.cli.double import Answers, Double

DOUBLE = Path(__file__).with_name("double.py")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example with a page of one file, run by the double."""
    folder = tmp_path / "sentiment"
    (folder / "site" / "parts").mkdir(parents=True)
    (folder / "template.yaml").write_text("Resources: {}\n")
    for name, text in {"index.html": "<p>", "config.js": "old", "parts/a.css": "b{}", "c.bin": "?"}.items():
        (folder / "site" / name).write_text(text)
    monkeypatch.setattr(demo, "example", lambda name: folder)
    monkeypatch.setattr(demo, "command_line", lambda t, h, p, d: [sys.executable, str(DOUBLE), "--data", str(d)])
    monkeypatch.setattr(sentiment, "REVIEWS", {"so good": "POSITIVE", "so bad": "NEGATIVE"})
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    # The model is the double's own.
    monkeypatch.setattr(sentiment, "NEEDED", "json")
    return folder


def test_once_ends_after_both_answers(example: Path, say: Ask, tmp_path: Path) -> None:
    said = say("demo", "sentiment", "--once", "--data", str(tmp_path / "data"))
    assert (said.code, said.err) == (0, "")
    console, api, page, curl, _, *answers = said.out.splitlines()
    assert console.startswith("Console  http://127.0.0.1:")
    assert api.startswith("API      http://127.0.0.1:")
    assert page.startswith("Page     http://127.0.0.1:")
    assert page.endswith("/site/")
    assert curl.startswith("Reviews  curl -H 'Content-Type: text/plain' --data-raw 'What a wonderful film' http://127.")
    assert answers == ["POSITIVE  so good", "NEGATIVE  so bad"]


def test_a_wrong_answer_fails(example: Path, say: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment, "REVIEWS", {"so bad": "POSITIVE"})
    said = say("demo", "sentiment", "--once")
    assert said.code == 1
    assert "POSITIVE was expected for 'so bad', not NEGATIVE." in said.err


def test_a_missing_answer_fails(example: Path, say: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment, "REVIEWS", {"silent": "POSITIVE"})
    monkeypatch.setattr(sentiment, "ANSWER_LIMIT", 0.3)
    said = say("demo", "sentiment", "--once")
    assert said.code == 1
    assert "not '503 0'" in said.err


def test_without_the_library_it_says_what_to_install(example: Path, say: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment, "NEEDED", "no_such_library")
    assert importlib.util.find_spec("no_such_library") is None
    said = say("demo", "sentiment")
    assert said.code == 1
    assert "pip install 'alight[xgboost]'" in said.err


def test_an_example_that_is_no_demo(say: Ask) -> None:
    said = say("demo", "hello")
    assert said.code == 1
    assert "alight up" in said.err


def test_every_file_goes_with_its_type_and_the_apis_address(example: Path, double: Double, answers: Answers) -> None:
    client = boto3.client(
        "s3", endpoint_url=double.url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    sentiment.upload(client, "box", example / "site", 'http://127.0.0.1:1/"prod"')
    client.close()
    assert {name: kind for name, (kind, _) in answers.put.items()} == {
        "index.html": "text/html; charset=utf-8",
        "config.js": "text/javascript; charset=utf-8",
        "parts/a.css": "text/css; charset=utf-8",
        "c.bin": "application/octet-stream",
    }
    assert b'window.SENTIMENT_API = "http://127.0.0.1:1/\\"prod\\"";' in answers.put["config.js"][1]


def test_nobody_there_is_no_answer() -> None:
    status, text = sentiment.post("http://127.0.0.1:1/prod", "good")
    assert status == 0
    assert text.startswith("ConnectionRefusedError")
