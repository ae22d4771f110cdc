"""An Alight with handlers on frameworks that others wrote for AWS: powertools, chalice, and what mangum serves."""

from __future__ import annotations

import base64
import copy
import importlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import Instance, eventually
from tests.walk.vendoring import build_zip

APP = Path(__file__).parent / "apps" / "foreign"
SAMPLES = Path(__file__).parents[3] / "shared" / "events" / "samples"
#: What goes into each function's package. boto3 and botocore do not: Alight gives them, as Lambda does.
PACKAGES = {
    "powertools": (
        "aws-lambda-powertools", "jmespath", "typing-extensions", "aws-xray-sdk", "wrapt",
        "pydantic", "pydantic-core", "annotated-types", "typing-inspection",
    ),
    "chalice": ("chalice",),
    "sentry": ("sentry-sdk", "certifi"),
    "web": ("mangum", "starlette", "anyio", "idna", "typing-extensions", "apig-wsgi"),
}  # fmt: skip
#: The interpreter for which the packages here are made.
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
#: The beginnings of the samples' names, the longest first, and the data class of powertools for each.
CLASSES = {
    "apiGatewayAuthorizerRequestEvent": "api_gateway_authorizer_event:APIGatewayAuthorizerRequestEvent",
    "apiGatewayAuthorizerTokenEvent": "api_gateway_authorizer_event:APIGatewayAuthorizerTokenEvent",
    "apiGatewayAuthorizerV2Event": "api_gateway_authorizer_event:APIGatewayAuthorizerEventV2",
    "apiGatewayProxyV2": "api_gateway_proxy_event:APIGatewayProxyEventV2",
    "apiGatewayProxy": "api_gateway_proxy_event:APIGatewayProxyEvent",
    "cloudWatchAlarm": "cloud_watch_alarm_event:CloudWatchAlarmEvent",
    "cloudWatchDashboard": "cloud_watch_custom_widget_event:CloudWatchDashboardCustomWidgetEvent",
    "cloudWatchLog": "cloud_watch_logs_event:CloudWatchLogsEvent",
    "lambdaFunctionUrl": "lambda_function_url_event:LambdaFunctionUrlEvent",
    "s3BatchOperation": "s3_batch_operation_event:S3BatchOperationEvent",
    "s3EventBridge": "s3_event:S3EventBridgeNotificationEvent",
    "s3Event": "s3_event:S3Event",
    "s3ObjectEvent": "s3_object_event:S3ObjectLambdaEvent",
    "s3Sqs": "sqs_event:SQSEvent",
    "snsEvent": "sns_event:SNSEvent",
    "snsSqs": "sqs_event:SQSEvent",
    "sqs": "sqs_event:SQSEvent",
}
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json")) or ["s3Event"]


def class_of(name: str) -> str:
    """Any other event is read as a plain mapping."""
    return next((kind for start, kind in CLASSES.items() if name.startswith(start)), "common:DictWrapper")


def without_addresses(texts: list[str]) -> list[str]:
    """Iterators are shown with the place where they lie."""
    return [re.sub(r" at 0x[0-9a-f]+", "", text) for text in texts]


def read_here(name: str, event: Any) -> list[str]:
    """All that the sample's data class reads in it and in its records, in this process."""
    module, _, kind = class_of(name).partition(":")
    package = importlib.import_module(f"aws_lambda_powertools.utilities.data_classes.{module}")
    read = getattr(package, kind)(copy.deepcopy(event))
    return without_addresses([str(item) for item in (read, *getattr(read, "records", ()))])


def build_app(folder: Path) -> Path:
    """The template and its zip files, ready for `alight up`."""
    for name in ("powertools", "chalice", "web"):
        build_zip(folder / f"{name}.zip", APP / name, PACKAGES[name])
    template = folder / "template.yaml"
    template.write_text((APP / "template.yaml").read_text().replace("python3.11", RUNTIME))
    return template


def sample(name: str) -> Any:
    """One of the events that AWS's services send, as others have written them down."""
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} of the event samples is not here")
    return json.loads(path.read_text())


@dataclass
class Foreign:
    """The app on one instance."""

    instance: Instance
    outputs: dict[str, str]

    def put(self, key: str, body: bytes) -> Any:
        return self.instance.client("s3").put_object(Bucket="foreign-pictures", Key=key, Body=body)

    def invoke(self, function: str, event: Any, custom: Mapping[str, str] | None = None) -> Any:
        """What the handler returns to a request; its log goes along with a failure."""
        context = {"ClientContext": base64.b64encode(json.dumps({"custom": custom}).encode()).decode()}
        answer = self.instance.client("lambda").invoke(
            FunctionName=self.outputs[function],
            Payload=json.dumps(event),
            LogType="Tail",
            **(context if custom else {}),
        )
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, (payload, base64.b64decode(answer["LogResult"]).decode())
        return payload

    def outcome(self, function: str, about: str) -> Any:
        """What the handler returned to the event in whose result `about` stands."""

        def ended() -> Any:
            listed = self.instance.json("events", "list", "--function", self.outputs[function], "--limit", "1000")
            for id in [event["id"] for event in listed["events"] if event["state"] in ("succeeded", "dead")]:
                event = self.instance.json("events", "show", id)
                if "s3:TestEvent" in json.dumps(event["payload"]):
                    continue  # that somebody will be told; a handler that knows objects alone fails at it
                assert event["state"] == "succeeded", event
                if about in json.dumps(event["result"], ensure_ascii=False):
                    return [event["result"]]
            return None

        return eventually(ended, what=f"{function} with {about}")[0]

    def log(self, function: str) -> list[str]:
        events = self.instance.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{self.outputs[function]}")
        return [event["message"] for event in events["events"]]

    def receive(self, queue: str, about: str) -> list[dict[str, Any]]:
        """The messages of a queue in which `about` stands; all others stay invisible until the test is over."""
        sqs = self.instance.client("sqs")
        found: list[dict[str, Any]] = []

        def come() -> Any:
            answer = sqs.receive_message(QueueUrl=self.outputs[queue], MaxNumberOfMessages=10, AttributeNames=["All"])
            found.extend(message for message in answer.get("Messages", []) if about in message["Body"])
            return found

        return list(eventually(come, what=f"a message with {about}"))


def queue_event(messages: list[dict[str, Any]], arn: str) -> dict[str, Any]:
    """What Lambda's poller makes of received messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": "us-east-1",
            }
            for message in messages
        ]
    }
