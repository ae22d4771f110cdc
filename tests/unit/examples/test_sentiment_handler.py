"""The handler of examples/sentiment, as it is, against a stubbed boto3 client."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from tests.reviews import csv, module, reference, vocabulary

KNOWN = vocabulary()
PLAIN = {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}
#: Asks the handler: `ask(answer of the endpoint, event, reviews that are expected as lines of CSV)`.
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module as a worker imports it."""
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "SAGEMAKER_ENDPOINT_NAME": "judge",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with module("app", "src") as loaded:
        yield loaded


@pytest.fixture
def stub(app: ModuleType) -> Iterator[Stubber]:
    with Stubber(app.runtime) as made:
        yield made
        made.assert_no_pending_responses()


@pytest.fixture
def ask(app: ModuleType, stub: Stubber) -> Ask:
    def asked(answer: bytes, event: dict[str, Any], *reviews: str) -> dict[str, Any]:
        body = StreamingBody(io.BytesIO(answer), len(answer))
        lines = b"\n".join(csv(review, KNOWN) for review in reviews)
        wanted = {"EndpointName": "judge", "ContentType": "text/csv", "Body": lines}
        stub.add_response("invoke_endpoint", {"Body": body, "ContentType": "text/csv"}, wanted)
        found: dict[str, Any] = app.handler(event, None)
        return found

    return asked


def posted(body: str | None, *, encoded: bool = False, **query: str) -> dict[str, Any]:
    """The parts of a proxy event (payload 1.0) that the handler reads, and some that it does not."""
    return {
        "resource": "/",
        "path": "/",
        "httpMethod": "POST",
        "headers": {"Content-Type": "text/plain;charset=UTF-8", "Origin": "null"},
        "queryStringParameters": query or None,
        "requestContext": {"stage": "prod"},
        "body": body,
        "isBase64Encoded": encoded,
    }


@pytest.mark.parametrize(("answer", "body"), [(b"0.9731", "1"), (b"0.5000001", "1"), (b"0.5", "0"), (b"0.0123\n", "0")])
def test_the_answer_is_one_digit_for_any_page(ask: Ask, answer: bytes, body: str) -> None:
    review = "A good film, don't miss it!"
    assert ask(answer, posted(review), review) == {"statusCode": 200, "headers": PLAIN, "body": body}


def test_a_review_in_base64_is_the_same_review(ask: Ask) -> None:
    review = "Très good, a film of 10/10"
    event = posted(base64.b64encode(review.encode()).decode(), encoded=True)
    assert ask(b"0.9", event, review)["body"] == "1"


@pytest.mark.parametrize("body", [None, "", " \n\t "])
def test_an_empty_body_is_told_apart(app: ModuleType, stub: Stubber, body: str | None) -> None:
    answer = app.handler(posted(body), None)
    assert answer == {
        "statusCode": 400,
        "headers": PLAIN,
        "body": "There is no review: post its text as the request's body.",
    }


@pytest.mark.parametrize("body", [base64.b64encode(b"caf\xe9 good").decode(), "no base64!", "YQ", "é"])
def test_bytes_that_are_no_text_are_told_apart(app: ModuleType, stub: Stubber, body: str) -> None:
    answer = app.handler(posted(body, encoded=True), None)
    assert answer == {"statusCode": 400, "headers": PLAIN, "body": "The review is not UTF-8 text."}


def test_words_outside_the_vocabulary_get_the_answer_for_no_word(ask: Ask) -> None:
    strangers = "zzyzx qwertyish �� 🎬"
    assert sum(reference(strangers, KNOWN)) == 0
    assert ask(b"0.42", posted(strangers), strangers)["body"] == "0"


def test_a_megabyte_is_one_review(ask: Ask) -> None:
    review = "good film " * 100_000
    assert reference(review, KNOWN)[KNOWN["good"]] == 100_000
    assert ask(b"0.9", posted(review), review)["body"] == "1"


def test_detail_tells_which_words_counted(ask: Ask) -> None:
    event = posted("Good film; bad, bad plot zzyzx", detail="1")
    # The most frequent word first, then the rarer in the language.
    first, *others = sorted({"good", "film", "bad", "plot"}, key=lambda word: (word != "bad", -KNOWN[word]))
    text = "good film bad bad plot"
    without = [" ".join(word for word in text.split() if word != left_out) for left_out in (first, *others)]
    given = {"bad": 0.8, "good": 0.1, "plot": 0.3, "film": 0.2}
    answers = ",".join(str(given[word]) for word in (first, *others)).encode()
    answer = ask(b"0.2," + answers, event, text, *without)
    assert (answer["statusCode"], answer["headers"]) == (200, PLAIN | {"Content-Type": "application/json"})
    assert json.loads(answer["body"]) == {
        "label": "NEGATIVE",
        "probability": 0.2,
        "words": [
            {"word": "bad", "count": 2, "contribution": -2.7726},
            {"word": "good", "count": 1, "contribution": 0.8109},
            {"word": "plot", "count": 1, "contribution": -0.539},
        ],
        "known": 5,
        "total": 6,
    }


def test_lines_may_come_apart_by_line_breaks(ask: Ask) -> None:
    answer = ask(b"0.9\n0.4\n", posted("good", detail="1"), "good", "")
    assert [word["word"] for word in json.loads(answer["body"])["words"]] == ["good"]


def test_detail_of_unknown_words_names_none(ask: Ask) -> None:
    told = json.loads(ask(b"0.42", posted("zzyzx", detail="1"), "zzyzx")["body"])
    assert told == {"label": "NEGATIVE", "probability": 0.42, "words": [], "known": 0, "total": 1}


def test_detail_of_a_certain_answer_is_a_number(ask: Ask) -> None:
    told = json.loads(ask(b"1.0,0.0", posted("good", detail="1"), "good", "")["body"])
    assert told["words"][0]["contribution"] == pytest.approx(32.236, abs=0.001)


def test_a_long_review_asks_for_a_bounded_number_of_lines(app: ModuleType, stub: Stubber) -> None:
    answer = b",".join([b"0.9"] * 61)
    stub.add_response("invoke_endpoint", {"Body": StreamingBody(io.BytesIO(answer), len(answer))})
    told = json.loads(app.handler(posted(" ".join(KNOWN), detail="1"), None)["body"])
    assert (told["words"], told["known"]) == ([], len(KNOWN))


@pytest.mark.parametrize("query", [{"detail": "0"}, {"detail": ""}, {"other": "1"}])
def test_only_detail_1_asks_for_detail(ask: Ask, query: dict[str, str]) -> None:
    event = posted("good") | {"queryStringParameters": query}
    assert ask(b"0.9", event, "good")["headers"] == PLAIN


@pytest.mark.parametrize("answer", [b"", b"nan", b"inf", b"1.5", b"0.5,0.5", b"[0.5]", b"\xff"])
def test_an_answer_that_is_no_probability_is_not_passed_on(
    ask: Ask, answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ask(answer, posted("good"), "good")
    assert told == {"statusCode": 502, "headers": PLAIN, "body": "The model did not answer. Try again later."}
    assert capsys.readouterr().out.startswith("The endpoint has no answer: ")


def test_a_failing_endpoint_can_be_read_by_a_page(
    app: ModuleType, stub: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.add_client_error("invoke_endpoint", "ModelError", "Received server error (500)")
    told = app.handler(posted("good"), None)
    assert (told["statusCode"], told["headers"]) == (502, PLAIN)
    assert "ModelError" in capsys.readouterr().out


def test_one_client_serves_all_calls(ask: Ask, app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.client", None)
    for _ in range(2):
        assert ask(b"0.9", posted("good"), "good")["body"] == "1"
