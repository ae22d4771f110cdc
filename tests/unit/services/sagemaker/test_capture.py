"""What is kept of requests and answers, and copies for a shadow."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from alight.errors.sagemaker import ValidationException
from alight.services.sagemaker import capture
from alight.services.sagemaker.capture import Seen
from tests.unit.endpoints import tiny
from tests.unit.services.sagemaker.conftest import Door, open_door, variant
from tests.unit.services.sagemaker.test_service import URL, conforms, put

SETTINGS = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://kept/here/",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {
        "CsvContentTypes": ["text/csv", "application/x-row"],
        "JsonContentTypes": ["application/json"],
    },
}
ROLE = "arn:aws:iam::000000000000:role/models"


async def serving(door: Door, tmp_path: Path, **configuration: Any) -> None:
    put(door, tmp_path, "one")
    door.bucket.allowed |= {("models", "s3:GetObject"), ("models", "s3:PutObject")}
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL}, ExecutionRoleArn=ROLE)
    await door.control(
        "CreateEndpointConfig", EndpointConfigName="one", ProductionVariants=[variant("one")], **configuration
    )
    await door.control("CreateEndpoint", EndpointName="one", EndpointConfigName="one")
    assert (await door.settled("one"))["EndpointStatus"] == "InService"


def test_a_line_has_sagemakers_form() -> None:
    seen = Seen(
        "id-1", 1_700_000_000.25, b"1,2", "text/csv", b'{"a": 1}', "application/json; charset=utf-8", "mine", "c=1"
    )
    assert capture.line(seen, SETTINGS) == {
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"},
            "endpointOutput": {
                "observedContentType": "application/json; charset=utf-8",
                "mode": "OUTPUT",
                "data": '{"a": 1}',
                "encoding": "JSON",
            },
        },
        "eventMetadata": {
            "eventId": "id-1",
            "inferenceTime": "2023-11-14T22:13:20Z",
            "inferenceId": "mine",
            "customAttributes": ["c=1"],
        },
        "eventVersion": "0",
    }
    # What was not named, and what is no text, is base64; only what was asked for is there
    bare = SETTINGS | {"CaptureContentTypeHeader": None, "CaptureOptions": [{"CaptureMode": "Input"}]}
    data = capture.line(seen, bare)["captureData"]
    assert data == {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": base64.b64encode(b"1,2").decode(),
            "encoding": "BASE64",
        }
    }
    odd = Seen("id-2", 0.0, b"\xff", "text/csv", b"", "")
    assert capture.line(odd, SETTINGS)["captureData"]["endpointInput"]["encoding"] == "BASE64"


async def test_requests_are_captured_and_none_is_lost_at_a_clean_stop(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "INTERVAL", 600.0)
    await serving(door, tmp_path, DataCaptureConfig=SETTINGS)
    described = await door.control("DescribeEndpoint", EndpointName="one")
    conforms("DescribeEndpoint", described)
    assert described["DataCaptureConfig"]["CaptureStatus"] == "Started"
    for number in range(3):
        await door.invoke("one", f"{number}".encode(), ContentType="application/x-row", InferenceId=f"i{number}")
    assert door.bucket.put == {}  # nothing is written while anybody waits
    await door.service.close()
    for url in door.bucket.put:  # one, unless an hour ends meanwhile
        home, name = url.removeprefix("s3://kept/here/one/AllTraffic/").rsplit("/", 1)
        assert len(home.split("/")) == 4  # yyyy/mm/dd/hh
        assert name.endswith(".jsonl")
    lines = [json.loads(text) for url in sorted(door.bucket.put) for text in door.bucket.put[url].decode().splitlines()]
    assert [line["captureData"]["endpointInput"]["data"] for line in lines] == ["0", "1", "2"]
    assert [line["captureData"]["endpointOutput"]["encoding"] for line in lines] == ["BASE64"] * 3
    assert [line["eventMetadata"]["inferenceId"] for line in lines] == ["i0", "i1", "i2"]


async def test_a_share_is_captured_after_a_moment_also_after_a_restart(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "INTERVAL", 0.05)
    await serving(door, tmp_path, DataCaptureConfig=SETTINGS | {"InitialSamplingPercentage": 50})
    await door.close()
    again = await open_door(tmp_path, door.objects)
    again.bucket.allowed = door.bucket.allowed
    await again.service.resume()
    for number in range(4):
        await again.invoke("one", f"{number}".encode(), ContentType="application/x-row")
    async with asyncio.timeout(30):
        while sum(content.count(b"\n") for content in again.bucket.put.values()) < 2:
            await asyncio.sleep(0.01)
    # And where it may not be written, the answer comes all the same, and the log says so
    again.bucket.allowed.clear()
    for _ in range(2):
        assert (await again.invoke("one", b"x"))["Body"] == b"x one"
    await again.service.close()
    assert sum(content.count(b"\n") for content in again.bucket.put.values()) == 2
    [(endpoint, name, text)] = again.bucket.lines
    assert (endpoint, name) == ("one", "AllTraffic")
    assert "assumed-role/models/SageMaker is not authorized to perform: s3:PutObject" in text
    await again.close()


async def test_settings_that_cannot_be_followed_are_refused(door: Door) -> None:
    every: list[dict[str, Any]] = [
        {"DestinationS3Uri": "https://b/p"},
        {"CaptureOptions": []},
        {"InitialSamplingPercentage": 101},
    ]
    for wrong in every:
        with pytest.raises(ValidationException):
            capture.check_settings(SETTINGS | wrong)


async def test_a_model_whose_role_may_not_read_its_package_is_refused(door: Door, tmp_path: Path) -> None:
    put(door, tmp_path, "one")
    with pytest.raises(ValidationException, match=rf'^Could not access model data at {URL}\. .*role "{ROLE}" exists'):
        await door.control(
            "CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL}, ExecutionRoleArn=ROLE
        )


async def test_a_shadow_gets_its_share_and_neither_slows_nor_fails_an_answer(door: Door, tmp_path: Path) -> None:
    # Given a shadow that fails for one body, answers another otherwise, and is stuck for a third
    gate = tmp_path / "gate"
    text = tiny.ECHO.replace(
        "return body\n\ndef output",
        f"\n    import os, time\n    while body == b'stuck' and not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "    if body == b'fail': raise ValueError\n"
        "    return body if body == b'same' else b'other'\n\ndef output",
    ).replace("return body, accept", "return body + b' one', 'text/plain'")
    door.objects["s3://bucket/shadow"] = tmp_path / "shadow.tar.gz"
    door.objects["s3://bucket/shadow"].write_bytes(tiny.packed(tiny.script(tmp_path / "shadow", text)))
    door.bucket.allowed |= {("models", "s3:GetObject")}
    await door.control("CreateModel", ModelName="new", PrimaryContainer={"ModelDataUrl": "s3://bucket/shadow"})
    await serving(door, tmp_path, ShadowProductionVariants=[variant("new", "Shadow")])
    described = await door.control("DescribeEndpoint", EndpointName="one")
    conforms("DescribeEndpoint", described)
    assert described["ShadowProductionVariants"][0]["CurrentInstanceCount"] == 1
    for body in (b"same", b"differs", b"fail"):
        assert (await door.invoke("one", body))["Body"] == body + b" one"
        await door.endpoints.copied()
    assert [(one.variant, one.shadow, one.outcome) for one in door.compared] == [
        ("AllTraffic", "Shadow", "same"),
        ("AllTraffic", "Shadow", "other"),
        ("AllTraffic", "Shadow", "failed"),
    ]
    # A shadow that is stuck keeps nobody waiting, and what it cannot take is dropped
    for _ in range(40):
        assert (await door.invoke("one", b"stuck"))["InvokedProductionVariant"] == "AllTraffic"
    assert [one.outcome for one in door.compared[3:]] == ["dropped"] * 8
    gate.touch()
    await door.endpoints.copied()
    with pytest.raises(Exception, match="Variant Shadow not found"):
        await door.invoke("one", b"x", TargetVariant="Shadow")


async def test_a_shadow_stands_beside_one_variant(door: Door, tmp_path: Path) -> None:
    put(door, tmp_path, "one")
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})
    for variants, shadows in (
        ([variant("one", "A"), variant("one", "B")], [variant("one", "C")]),
        ([variant("one", "A")], [variant("one", "A")]),
        ([variant("one", "A")], [variant("one", "B"), variant("one", "C")]),
    ):
        with pytest.raises(ValidationException):
            await door.control(
                "CreateEndpointConfig",
                EndpointConfigName="c",
                ProductionVariants=variants,
                ShadowProductionVariants=shadows,
            )
