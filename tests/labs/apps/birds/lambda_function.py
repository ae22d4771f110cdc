"""The bird lab's function, as its students have it: numpy is in the zip; where there is no topic yet, only the log is
told."""

import json
import os
from pathlib import Path
from urllib.parse import unquote_plus

import boto3
import numpy

print("Loading function")
s3 = boto3.client("s3")
runtime = boto3.client(service_name="runtime.sagemaker")
sns = boto3.client("sns")
SPECIES = Path(__file__).with_name("labels.txt").read_text(encoding="utf-8").splitlines()
CERTAIN = 0.70


def lambda_handler(event, context):
    place = event["Records"][0]["s3"]
    bucket, key = place["bucket"]["name"], unquote_plus(place["object"]["key"])
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
    message = sentence(key, numpy.array(json.loads(answer["Body"].read())))
    print(f"msg: {message}")
    tell(message)
    return "success"


def sentence(key, probabilities):
    best = [f"{SPECIES[index]}({probabilities[index]:.2f})" for index in numpy.argsort(-probabilities)[:2]]
    if probabilities.max() > CERTAIN:
        return f"Bird [{key}] is a: {best[0]}"
    return f"Bird [{key}] may be a: {best[0]}, or {best[1]}"


def tell(message):
    try:
        topic = os.environ["SNS_TOPIC_ARN"]
        print(f"Publishing message to SNS topic: {topic}")
        response = sns.publish(TopicArn=topic, Message=message)
        print(f"SNS Publish Response: {response}")
    except Exception as error:
        print(error)
        print("Error publishing message to SNS.")
