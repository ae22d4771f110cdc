"""Answers whether a film review is positive: takes the raw text, asks the endpoint, says '1' or '0'.

Settings (environment):
    SAGEMAKER_ENDPOINT_NAME  who judges: takes lines of CSV, one count for each word of the vocabulary, and answers
                             the probability that each line is of a positive review

`vocabulary.json` beside this file gives each word its column.

With `?detail=1` the answer is JSON: the label, the probability, and the words that counted most. What a word counts is
found by asking again without it: the review and its variants go to the endpoint as the lines of one request. A word's
contribution is by how much the log-odds of POSITIVE fall when it is taken out (negative: by how much they rise), so
that words count in a review that is beyond doubt as well.
"""

import base64
import json
import math
import os
import re
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from words import Rows, bow_encoding, review_to_words

VOCABULARY = json.loads(Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8"))
ROWS = Rows(len(VOCABULARY))
#: Words that are tried, and words that are told, of one review.
MOST_TRIED, MOST_TOLD = 60, 10
ANYBODY = {"Access-Control-Allow-Origin": "*"}

runtime = boto3.client("sagemaker-runtime")


class Unreadable(Exception):
    """What was sent is no review; the message tells the visitor why."""


def handler(event, context):
    try:
        words = review_to_words(review_in(event))
        detailed = (event.get("queryStringParameters") or {}).get("detail") == "1"
        return detail(words) if detailed else plain(200, str(label(words)))
    except Unreadable as error:
        return plain(400, str(error))
    except (BotoCoreError, ClientError, ValueError) as error:
        # API Gateway's own 502 has no CORS header, so a page could not read it; this one it can.
        print(f"The endpoint has no answer: {error}")
        return plain(502, "The model did not answer. Try again later.")


def review_in(event):
    """The text that was posted. Raises `Unreadable`."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True).decode("utf-8")
        except ValueError:
            raise Unreadable("The review is not UTF-8 text.") from None
    if not body.strip():
        raise Unreadable("There is no review: post its text as the request's body.")
    return body


def label(words):
    """1 for a positive review, 0 for a negative one."""
    return round(probabilities([bow_encoding(words, VOCABULARY)])[0])


def detail(words):
    counts = bow_encoding(words, VOCABULARY)
    # The most frequent first; among equals the rarer word of the language, which tells more (columns are in order).
    tried = sorted(counts, key=lambda column: (-counts[column], -column))[:MOST_TRIED]
    without = [{other: count for other, count in counts.items() if other != column} for column in tried]
    whole, *lesser = probabilities([counts, *without])
    names = {column: word for word in words if (column := VOCABULARY.get(word)) is not None}
    told = [
        {"word": names[column], "count": counts[column], "contribution": round(log_odds(whole) - log_odds(left), 4)}
        for column, left in zip(tried, lesser, strict=True)
        if whole != left
    ]
    told.sort(key=lambda word: -abs(word["contribution"]))
    answer = {
        "label": "POSITIVE" if round(whole) else "NEGATIVE",
        "probability": whole,
        "words": told[:MOST_TOLD],
        "known": sum(counts.values()),
        "total": len(words),
    }
    return reply(200, "application/json", json.dumps(answer))


def probabilities(bags):
    """How likely each bag of words is a positive review. Raises ValueError where the answer is not one number each."""
    answer = runtime.invoke_endpoint(
        EndpointName=os.environ["SAGEMAKER_ENDPOINT_NAME"],
        ContentType="text/csv",
        Body=b"\n".join(map(ROWS.line, bags)),
    )
    # Between numbers the container writes a comma or, in some versions, a line break.
    found = [float(number) for number in re.split(r"[,\s]+", answer["Body"].read().decode("utf-8").strip())]
    if len(found) != len(bags) or not all(0 <= number <= 1 for number in found):
        raise ValueError(f"{len(bags)} probabilities were asked for, not {found[:3]}")
    return found


def log_odds(probability):
    kept = min(max(probability, 1e-7), 1 - 1e-7)
    return math.log(kept / (1 - kept))


def plain(status, text):
    return reply(status, "text/plain", text)


def reply(status, content_type, body):
    return {"statusCode": status, "headers": {"Content-Type": content_type} | ANYBODY, "body": body}
