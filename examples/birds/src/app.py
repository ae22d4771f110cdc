"""Names the bird in every new picture and tells a topic.

Settings (environment):
    SAGEMAKER_ENDPOINT_NAME  who knows birds: takes a picture, answers a JSON array of probabilities
    SNS_TOPIC_ARN            who is told; without it the answer stands in the log only
    CERTAINTY_THRESHOLD      above it the message says "is a", else "may be a" (0.70)
    TOP_K                    how many guesses an uncertain message names (2)
    LINK_EXPIRES             seconds for which a link to the picture is valid; without it, no link

`labels.txt` beside this file holds the names of the classes in the order of the probabilities.
"""

import json
import os
from pathlib import Path
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config

LABELS = Path(__file__).with_name("labels.txt").read_text(encoding="utf-8").splitlines()
LONGEST_LINK = 12 * 60 * 60

s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
runtime = boto3.client(service_name="runtime.sagemaker")
sns = boto3.client("sns")


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        lines = [sentence(key, species(bucket, key)), *link(bucket, key)]
        for line in lines:
            print(f"msg: {line}")
        tell("\n".join(lines))
    return "success"


def species(bucket, key):
    """The classes of one picture with their probabilities, the likeliest first."""
    print(f"KEY: {key}")
    picture = s3.get_object(Bucket=bucket, Key=key)
    print(f"CONTENT LENGTH: {picture['ContentLength']}")
    print(f"CONTENT TYPE: {picture['ContentType']}")
    print("Invoking bird species identification endpoint")
    answer = runtime.invoke_endpoint(
        EndpointName=os.environ["SAGEMAKER_ENDPOINT_NAME"],
        ContentType="application/x-image",
        Body=picture["Body"].read(),
    )
    probabilities = json.loads(answer["Body"].read())
    return sorted(zip(LABELS, probabilities, strict=True), key=lambda guess: guess[1], reverse=True)


def sentence(key, guesses):
    named = [f"{label}({probability:.2f})" for label, probability in guesses]
    if guesses[0][1] > float(os.environ.get("CERTAINTY_THRESHOLD", "0.70")):
        return f"Bird [{key}] is a: {named[0]}"
    return f"Bird [{key}] may be a: {', or '.join(named[: int(os.environ.get('TOP_K', '2'))])}"


def link(bucket, key):
    """A link to the picture that opens in any browser, as a list of one line, or nothing."""
    seconds = min(int(os.environ.get("LINK_EXPIRES") or 0), LONGEST_LINK)
    if seconds <= 0:
        return []
    return [s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds)]


def tell(message):
    topic = os.environ.get("SNS_TOPIC_ARN")
    if not topic:
        print("There is no SNS_TOPIC_ARN: nobody is told.")
        return
    print(f"Publishing message to SNS topic: {topic}")
    response = sns.publish(TopicArn=topic, Message=message)
    print(f"SNS Publish Response: {response}")
