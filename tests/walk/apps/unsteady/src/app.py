"""Each handler publishes before it fails, as real ones do; the first two attempts of a worker fail."""

import os
import time
from urllib.parse import unquote_plus

import boto3

s3, sns = boto3.client("s3"), boto3.client("sns")
attempts = {}


def told(event, text, *, failures=2):
    key = unquote_plus(event["Records"][0]["s3"]["object"]["key"])
    attempts[key] = attempts.get(key, 0) + 1
    sns.publish(TopicArn=os.environ["SNS_TOPIC_ARN"], Message=f"[{key}] {text(event)}")
    if attempts[key] <= failures:
        raise RuntimeError(f"attempt {attempts[key]} fails after it has published")


def with_time(event, context):
    told(
        event,
        lambda event: f"attempt {attempts[unquote_plus(event['Records'][0]['s3']['object']['key'])]} {time.time_ns()}",
    )


def with_link(event, context):
    told(event, link)


def link(event):
    record = event["Records"][0]["s3"]
    place = {"Bucket": record["bucket"]["name"], "Key": unquote_plus(record["object"]["key"])}
    return s3.generate_presigned_url("get_object", Params=place, ExpiresIn=3600)


def same_text(event, context):
    told(event, lambda event: "the same text")


def always_fails(event, context):
    told(event, lambda event: str(attempts), failures=99)


def forbidden(event, context):
    s3.put_object(Bucket="unsteady-pictures", Key="stolen", Body=b"")
