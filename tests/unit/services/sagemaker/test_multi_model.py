"""TargetModel: many packages under one prefix, loaded when they are asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alight.endpoints import shelf
from alight.errors.sagemaker import ModelError, ValidationError, ValidationException
from tests.unit.endpoints import tiny
from tests.unit.services.sagemaker.conftest import Door, open_door, variant
from tests.unit.services.sagemaker.test_service import URL, conforms, put

PREFIX = "s3://many/models/"


@pytest.fixture
async def many(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    """An endpoint `m` with room for two of its models `a`, `b` and `c`."""
    monkeypatch.setattr(shelf, "MOST", 2)
    for word in ("a", "b", "c"):
        put(door, tmp_path, word, f"{PREFIX}{word}.tar.gz")
    container = {"ModelDataUrl": PREFIX, "Mode": "MultiModel", "Image": "any"}
    await door.control("CreateModel", ModelName="m", PrimaryContainer=container)
    assert (await door.serve("m"))["EndpointStatus"] == "InService"
    return door


async def ask(door: Door, model: str) -> bytes:
    answer = await door.invoke("m", b"x", TargetModel=f"{model}.tar.gz")
    conforms("InvokeEndpoint", answer, "sagemaker-runtime")
    body = answer["Body"]
    assert isinstance(body, bytes)
    return body


def pids(door: Door) -> tuple[int, ...]:
    status = door.endpoints.status("m")
    assert status is not None
    return status.variants[0].pids


async def test_models_are_loaded_when_asked_for_and_the_one_least_asked_for_makes_room(many: Door) -> None:
    assert pids(many) == ()
    answers = await asyncio.gather(*(ask(many, word) for word in ("a", "a", "b")))
    assert list(answers) == [b"x a", b"x a", b"x b"]
    both = pids(many)
    assert len(both) == 2
    assert await ask(many, "a") == b"x a"
    assert pids(many) == both
    # A third one takes the place of `b`
    assert await ask(many, "c") == b"x c"
    assert len(set(pids(many)) & set(both)) == 1
    [gone] = set(both) - set(pids(many))
    async with asyncio.timeout(30):
        while Path(f"/proc/{gone}").exists():
            await asyncio.sleep(0.01)
    # which comes back when it is asked for
    assert await ask(many, "b") == b"x b"
    assert len(pids(many)) == 2


async def test_what_is_not_there_or_cannot_be_served_is_said_and_leaves_the_others(many: Door, tmp_path: Path) -> None:
    with pytest.raises(
        ValidationError, match=r"^Failed to download model data\(bucket: many, key: models/x\.tar\.gz\)"
    ):
        await ask(many, "x")
    many.objects[f"{PREFIX}x.tar.gz"] = tmp_path / "bad"
    (tmp_path / "bad").write_bytes(tiny.tar([tiny.entry("README", b"x")]))
    with pytest.raises(ModelError, match=r"x\.tar\.gz cannot be served: The package has none of model\.onnx"):
        await ask(many, "x")
    with pytest.raises(ValidationError, match="TargetModel must name one"):
        await many.invoke("m", b"x")
    assert await ask(many, "a") == b"x a"
    put(many, tmp_path, "one")
    await many.create("one", URL)
    with pytest.raises(ValidationError, match="has one model"):
        await many.invoke("one", b"x", TargetModel="a.tar.gz")
    for wrong in ({"ShadowProductionVariants": [variant("m", "S")]},):
        with pytest.raises(ValidationException, match="no shadows"):
            await many.control(
                "CreateEndpointConfig", EndpointConfigName="s", ProductionVariants=[variant("m")], **wrong
            )


async def test_after_a_restart_they_are_loaded_again(many: Door, tmp_path: Path) -> None:
    assert await ask(many, "a") == b"x a"
    await many.close()
    again = await open_door(tmp_path, many.objects)
    await again.service.resume()
    assert await ask(again, "a") == b"x a"
    left = pids(again)
    await again.control("DeleteEndpoint", EndpointName="m")
    await again.service.deployments.wait("m")
    assert not any(Path(f"/proc/{pid}").exists() for pid in left)
    await again.close()


async def test_who_waits_for_a_model_while_the_endpoint_goes_is_answered(many: Door) -> None:
    asked = asyncio.create_task(ask(many, "a"))
    await asyncio.sleep(0)
    await many.control("UpdateEndpoint", EndpointName="m", EndpointConfigName="m")
    assert await asked == b"x a"
    await many.settled("m")
    assert await ask(many, "b") == b"x b"
