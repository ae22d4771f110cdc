"""Sample events for the Test tab: what S3, SNS, SQS and an HTTP API hand to a function. Made, not recorded."""

from __future__ import annotations

import json
from typing import Any

from alight.names import ACCOUNT, REGION, bucket_arn

_WHEN = "1767225600000"


def samples() -> dict[str, str]:
    """Name -> JSON for people to change."""
    return {name: json.dumps(event, indent=2) for name, event in _samples().items()}


def _samples() -> dict[str, Any]:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": ACCOUNT},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "sample", "x-amz-id-2": "sample"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "sample",
            "bucket": {
                "name": "my-bucket",
                "ownerIdentity": {"principalId": ACCOUNT},
                "arn": bucket_arn("my-bucket"),
            },
            "object": {"key": "birds/card.jpg", "size": 1024, "eTag": "0" * 32, "sequencer": "0" * 16},
        },
    }
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:my-topic"
    said = {"Type": "Notification", "MessageId": "sample", "TopicArn": topic, "Subject": None, "Message": "hello"}
    message = {
        "messageId": "sample",
        "receiptHandle": "sample",
        "body": "hello",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": _WHEN},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:my-queue",
        "awsRegion": REGION,
    }
    request = {
        "resource": "/",
        "path": "/",
        "httpMethod": "POST",
        "headers": {"Content-Type": "text/plain;charset=UTF-8"},
        "queryStringParameters": None,
        "pathParameters": None,
        "requestContext": {"stage": "prod", "httpMethod": "POST", "requestId": "sample"},
        "body": "A wonderful film.",
        "isBase64Encoded": False,
    }
    return {
        "hello-world": {"key1": "value1", "key2": "value2", "key3": "value3"},
        "s3-put": {"Records": [record]},
        "sns": {
            "Records": [
                {
                    "EventSource": "aws:sns",
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": f"{topic}:sample",
                    "Sns": said,
                }
            ]
        },
        "sqs": {"Records": [message]},
        "apigateway-aws-proxy": request,
    }
