"""InvokeEndpointWithResponseStream: parts reach boto3 while the model makes the next one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.support import Start
from tests.walk.making import make_endpoint, make_role

SCRIPT = """
import os, time

def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return body.decode()

def predict_fn(word, model):
    if word == "early":
        raise ValueError("before the first part")
    if word == "whole":
        return b"all of it"
    return parts(word)

def parts(word):
    if word == "first":
        raise ValueError("at the first part")
    yield "one "
    if word == "broken":
        raise ValueError("in its middle")
    while word == "slow" and not os.path.exists(os.environ["GATE"]):
        time.sleep(0.01)
    yield b"two"

def output_fn(answer, accept):
    return answer, "text/x-words"
"""


def test_parts_arrive_while_the_model_makes_them(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "shared" / "gate"
    gate.parent.mkdir()
    instance = start(ALIGHT_WORKER_PATHS=str(gate.parent))
    make_role(instance)
    make_endpoint(instance, "s", SCRIPT, replicas=2, GATE=str(gate))
    runtime = instance.client("sagemaker-runtime")

    def stream(word: str) -> tuple[Any, Iterator[bytes]]:
        answer = runtime.invoke_endpoint_with_response_stream(EndpointName="s", Body=word.encode())
        assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/x-words", "all")
        return answer["Body"], (event["PayloadPart"]["Bytes"] for event in answer["Body"])

    # The second part is made only after the first one has arrived
    body, parts = stream("slow")
    assert next(parts) == b"one "
    gate.touch()
    assert list(parts) == [b"two"]
    body.close()
    # What is answered whole comes as one part, and what comes in parts is whole for who asks so
    body, parts = stream("whole")
    assert list(parts) == [b"all of it"]
    body.close()
    assert runtime.invoke_endpoint(EndpointName="s", Body=b"x")["Body"].read() == b"one two"
    # Failures, before anything was said and in the middle
    for word, text in (("early", "before the first part"), ("first", "at the first part")):
        with pytest.raises(ClientError, match=text) as refused:
            runtime.invoke_endpoint_with_response_stream(EndpointName="s", Body=word.encode())
        assert refused.value.response["Error"]["Code"] == "ModelError"
    body, parts = stream("broken")
    assert next(parts) == b"one "
    with pytest.raises(EventStreamError, match="ValueError: in its middle") as broken:
        next(parts)
    body.close()
    assert broken.value.response["Error"]["Code"] == "ModelStreamError"
    with pytest.raises(ClientError, match="in its middle"):
        runtime.invoke_endpoint(EndpointName="s", Body=b"broken")
    with pytest.raises(ClientError, match="not found"):
        runtime.invoke_endpoint_with_response_stream(EndpointName="none", Body=b"")
    # Who goes away in the middle leaves the replica for others
    gate.unlink()
    for _ in range(2):
        body, parts = stream("slow")
        assert next(parts) == b"one "
        body.close()
    gate.touch()
    assert runtime.invoke_endpoint(EndpointName="s", Body=b"x")["Body"].read() == b"one two"
