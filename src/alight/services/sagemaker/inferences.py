"""What an asynchronous inference is: where its result goes, and the words in which topics are told of its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from alight.calls import Members
from alight.clock import iso_millis
from alight.names import REGION

_SUCCESS, _ERROR = "SuccessTopic", "ErrorTopic"
#: What AWS sends to both topics when an endpoint is made or changed.
TEST = json.dumps({"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"})


@dataclass(frozen=True, slots=True)
class Inference:
    """One accepted request, as the journal keeps it: all that it takes to run it and to tell of it, so that neither
    needs the endpoint's description again. `body` is base64, where the request brought its input itself."""

    endpoint: str
    role: str
    inference_id: str
    input: str
    body: str
    content_type: str
    accept: str
    custom_attributes: str
    output: str
    failure: str
    success_topic: str
    error_topic: str
    timeout: float
    received: float

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def load(payload: bytes) -> Inference:
    return Inference(**json.loads(payload))


def topics(config: Members) -> tuple[str, str]:
    """Success and error topic of an AsyncInferenceConfig, "" where nobody is told."""
    told = config["OutputConfig"].get("NotificationConfig") or {}
    return told.get(_SUCCESS) or "", told.get(_ERROR) or ""


def notification(one: Inference, moment: float, outcome: Mapping[str, Any]) -> str:
    """The message of an inference that ended at `moment`. `outcome` holds `contentType` and `outputLocation` of what
    was written, if anything was, and `failureReason` where it failed."""
    failed = "failureReason" in outcome
    asked = {
        "accept": one.accept,
        "contentType": one.content_type,
        "customAttributes": one.custom_attributes,
        "endpointName": one.endpoint,
        "inputLocation": one.input,
    }
    written = {name: outcome[name] for name in ("contentType", "outputLocation") if outcome.get(name)}
    message: Members = {
        "awsRegion": REGION,
        "eventTime": iso_millis(moment),
        "receivedTime": iso_millis(one.received),
        "invocationStatus": "Failed" if failed else "Completed",
        **({"failureReason": outcome["failureReason"]} if failed else {}),
        "requestParameters": {name: value for name, value in asked.items() if value},
        **({"responseParameters": written} if written else {}),
        "inferenceId": one.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    return json.dumps(message, separators=(",", ":"))
