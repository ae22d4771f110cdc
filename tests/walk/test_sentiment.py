"""A visitor posts a review and gets the model's own answer, whatever the visitor posts it with."""

from __future__ import annotations

import json
import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.exceptions import ClientError

from tests.reviews import BAD, EXAMPLE, GOOD, Judge, csv, made_reviews, snippets, vocabulary
from tests.support import clean_environment, find_tool, run_alight
from tests.walk.sentiments import Sentiments, sentiments

pytest.importorskip("xgboost")
ZEROS = ",".join(["0"] * 5000)
TEXT = {"Content-Type": "text/plain;charset=UTF-8"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentiments]:
    with sentiments(tmp_path_factory.mktemp("sentiment")) as running:
        yield running


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def post(url: str, body: bytes | str, **headers: str) -> tuple[int, str, dict[str, str]]:
    with requests.post(url, data=body.encode() if isinstance(body, str) else body, headers=headers, timeout=40) as got:
        return got.status_code, got.text, {name.lower(): value for name, value in got.headers.items()}


def curl(url: str, review: str) -> str:
    path = find_tool("curl")
    assert path is not None
    command = [path, "--silent", "--show-error", "--noproxy", "*", "-H", "Content-Type: text/plain"]
    done = subprocess.run(
        [*command, "--data-raw", review, url], capture_output=True, text=True, timeout=60, env=clean_environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_hand(url: str, review: str) -> tuple[str, str]:
    """Head and body of the answer to what a browser sends for `xhr.send(text)` on a page from a file."""
    address, body = urlsplit(url), review.encode()
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nOrigin: null\r\nConnection: close\r\n"
        f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=40) as line:
        line.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    top, _, rest = answer.decode().partition("\r\n\r\n")
    return top, rest


@pytest.mark.tool("curl")
@pytest.mark.parametrize(("review", "answer"), [(GOOD, "1"), (BAD, "0")])
def test_whatever_posts_the_review_gets_the_same_answer(app: Sentiments, review: str, answer: str) -> None:
    status, body, headers = post(app.api, review, **TEXT)
    assert (status, body) == (200, answer)
    assert headers["content-type"] == "text/plain"
    assert headers["access-control-allow-origin"] == "*"
    assert post(f"{app.api}/", review, **TEXT)[:2] == (200, answer), "with the slash of the stage's root as well"
    assert curl(app.api, review) == answer
    top, rest = by_hand(app.api, review)
    assert top.startswith("HTTP/1.1 200 ")
    assert "\r\naccess-control-allow-origin: *" in top.lower()
    assert rest == answer


def test_a_preflight_is_answered(app: Sentiments) -> None:
    asked = {"Origin": "https://films.example", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "content-type"
    with requests.options(app.api, headers=asked, timeout=40) as answer:
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize("real", [False, True], ids=["made", "snippets"])
def test_500_answers_are_the_models_own(app: Sentiments, judge: Judge, real: bool) -> None:
    reviews = snippets(500) if real else made_reviews(500)
    expected = [str(round(value)) for value in judge.probabilities(reviews)]
    assert len(set(expected)) == 2
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda review: post(app.api, review, **TEXT)[:2], reviews))
    assert answers == [(200, answer) for answer in expected]


@pytest.mark.parametrize("real", [False, True], ids=["made", "snippets"])
def test_500_probabilities_in_batches_of_mixed_sizes(app: Sentiments, judge: Judge, real: bool) -> None:
    reviews = snippets(500) if real else made_reviews(500, seed=11)
    chance = random.Random(5)
    batches: list[list[str]] = []
    while reviews[sum(map(len, batches)) :]:
        start = sum(map(len, batches))
        batches.append(reviews[start : start + chance.choice((1, 1, 1, 2, 3, 5, 8, 13))])
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda batch: invoke(app, batch, judge.known), batches))
    for batch, answer in zip(batches, answers, strict=True):
        assert answer == pytest.approx(judge.probabilities(batch), abs=1e-6)


def invoke(app: Sentiments, reviews: Sequence[str], known: dict[str, int]) -> list[float]:
    body = b"\n".join(csv(review, known) for review in reviews)
    return [float(number) for number in raw_invoke(app, body).decode().split(",")]


def raw_invoke(app: Sentiments, body: bytes) -> bytes:
    client = app.instance.client("sagemaker-runtime")
    try:
        answer = client.invoke_endpoint(EndpointName=app.outputs["EndpointName"], ContentType="text/csv", Body=body)
        with answer["Body"] as stream:
            content: bytes = stream.read()
            return content
    finally:
        client.close()


def test_detail_tells_the_models_probability_and_the_words(app: Sentiments, judge: Judge) -> None:
    status, body, headers = post(f"{app.api}?detail=1", GOOD, **TEXT)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert headers["access-control-allow-origin"] == "*"
    told = json.loads(body)
    assert told["label"] == "POSITIVE"
    assert told["probability"] == pytest.approx(judge.probabilities([GOOD])[0], abs=1e-6)
    assert "wonderful" in [word["word"] for word in told["words"] if word["contribution"] > 0]


@pytest.mark.parametrize("query", ["", "?detail=1"])
@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_empty_body_is_told_apart(app: Sentiments, body: bytes, query: str) -> None:
    status, text, headers = post(app.api + query, body, **TEXT)
    assert (status, text) == (400, "There is no review: post its text as the request's body.")
    assert headers["access-control-allow-origin"] == "*"


def test_a_megabyte_is_answered(app: Sentiments, judge: Judge) -> None:
    review = (GOOD + " ") * (1_048_576 // (len(GOOD) + 1))
    [expected] = judge.probabilities([review])
    assert post(app.api, review, **TEXT)[:2] == (200, str(round(expected)))


def test_bytes_that_are_no_text_are_unknown_words(app: Sentiments, judge: Judge) -> None:
    """As API Gateway does it: what is no UTF-8 becomes U+FFFD, which is in no word of the vocabulary."""
    [expected] = judge.probabilities(["\ufffd wonderful"])
    assert post(app.api, b"\xff\xfe wonderful", **TEXT)[:2] == (200, str(round(expected)))


def test_words_outside_the_vocabulary_get_the_answer_for_no_word(app: Sentiments, judge: Judge) -> None:
    [expected] = judge.probabilities([""])
    assert post(app.api, "zzyzx qwertyish", **TEXT)[:2] == (200, str(round(expected)))
    assert json.loads(post(f"{app.api}?detail=1", "zzyzx", **TEXT)[1])["known"] == 0


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ("1,2,3", 400, "5000"),
        (f"{ZEROS},0", 400, "5001"),
        (",".join(vocabulary()) + "\n" + ZEROS, 415, "header"),
        (ZEROS.replace("0", "much", 1), 415, "much"),
    ],
    ids=["narrow", "wide", "header row", "a word"],
)
def test_csv_that_the_model_cannot_read_is_refused(app: Sentiments, body: str, status: int, word: str) -> None:
    with pytest.raises(ClientError) as caught:
        raw_invoke(app, body.encode())
    response: dict[str, Any] = dict(caught.value.response)
    assert response["Error"]["Code"] == "ModelError"
    assert response["OriginalStatusCode"] == status
    assert word in response["OriginalMessage"]


def test_no_csv_is_no_prediction(app: Sentiments) -> None:
    assert raw_invoke(app, b"") == b""


def test_nan_is_a_missing_value(app: Sentiments, judge: Judge) -> None:
    import numpy as np

    row = np.zeros((1, 5000), np.float32)
    row[0, 7] = np.nan
    answer = float(raw_invoke(app, ("0,0,0,0,0,0,0,nan," + ",".join(["0"] * 4992)).encode()))
    assert answer == pytest.approx(float(judge.booster.inplace_predict(row)[0]), abs=1e-6)


def test_only_the_page_and_the_api_are_public(app: Sentiments) -> None:
    with requests.get(app.page, timeout=40) as page:
        assert page.status_code == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "What did you think of the film?" in page.text
    with requests.get(f"{app.page.rstrip('/')}/nothing/here", timeout=40) as missing:
        # Not 404: who may not list a bucket does not learn what it holds.
        assert missing.status_code == 403
        assert "There is no such page" in missing.text
    base, bucket = app.instance.url, app.outputs["BucketName"]
    for method, path in (("GET", bucket), ("PUT", f"{bucket}/x.html"), ("DELETE", f"{bucket}/index.html")):
        with requests.request(method, f"{base}/{path}", data=b"x", timeout=40) as answer:
            assert answer.status_code == 403, f"{method} {path}"
    with requests.post(f"{base}/endpoints/{app.outputs['EndpointName']}/invocations", data=ZEROS, timeout=40) as answer:
        # Without a signature nothing says that it is for the endpoint: S3 answers, which has no such POST.
        assert answer.status_code == 405
    with requests.get(app.api, timeout=40) as answer:
        assert answer.status_code == 403, "a route that the API does not have"


def test_alight_demo_sentiment(tmp_path: Path) -> None:
    done = run_alight("demo", "sentiment", "--once", "--data", str(tmp_path / "data"), timeout=100)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith(("POSITIVE  ", "NEGATIVE  "))] == [
        f"POSITIVE  {GOOD}",
        f"NEGATIVE  {BAD}",
    ]
    assert any(line.startswith("Page     http://127.0.0.1:") for line in lines)
    assert any(line.startswith("Reviews  curl ") and line.rstrip().endswith("/prod") for line in lines)


def test_the_examples_reviews_are_those_of_the_page() -> None:
    page = (EXAMPLE / "site" / "index.html").read_text()
    assert f'data-try="{GOOD}"' in page
    assert f'data-try="{BAD}"' in page
