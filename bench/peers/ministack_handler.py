"""ministack's function: the model in the handler, which saves it two hops."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
from classify import Classifier

CLASSIFIER = Classifier(Path(os.environ["MODEL"]))
S3, SNS = boto3.client("s3"), boto3.client("sns")


def one(bucket: str, key: str) -> None:
    body = S3.get_object(Bucket=bucket, Key=key)["Body"].read()
    SNS.publish(TopicArn=os.environ["SNS_TOPIC_ARN"], Message=CLASSIFIER.message(key, body))


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        for item in json.loads(record["body"]).get("Records", []):
            one(item["s3"]["bucket"]["name"], unquote_plus(item["s3"]["object"]["key"]))
