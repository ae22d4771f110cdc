"""Handlers on frameworks of others give the same answers under both loops: AWS's client, and ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alight.functions.invocation import FunctionSpec
from alight.functions.package import prepare
from tests.unit.functions.bench import Bench, answer, error
from tests.walk.foreign import APP, NAMES, PACKAGES, RUNTIME, class_of, read_here, sample, without_addresses
from tests.walk.vendoring import build_zip


async def deploy(bench: Bench, folder: Path, name: str, handler: str) -> FunctionSpec:
    archive = build_zip(folder / f"{name}.zip", APP / name, PACKAGES[name])
    package = await prepare(archive, folder / "store", progress=print)
    variables = {"POWERTOOLS_SERVICE_NAME": "pictures", "POWERTOOLS_METRICS_NAMESPACE": "Pictures"}
    return bench.spec(
        "", code_dir=package.code_dir, handler=handler, runtime=RUNTIME, memory_mb=512, timeout=30.0,
        environment=variables,
    )  # fmt: skip


async def call(bench: Bench, spec: FunctionSpec, event: Any, **more: Any) -> Any:
    return answer(await bench.call(spec, json.dumps(event).encode(), **more))


async def test_the_samples(bench: Bench, tmp_path: Path) -> None:
    spec = await deploy(bench, tmp_path, "powertools", "app.sample")
    for name in NAMES:
        event = sample(name)
        context = json.dumps({"custom": {"class": class_of(name)}})
        said = await call(bench, spec, event, client_context=context)
        assert (name, said["event"]) == (name, event)
        assert (name, without_addresses(said["read"])) == (name, read_here(name, event))


async def test_a_batch_and_its_log(bench: Bench, tmp_path: Path) -> None:
    """The sample's first message is no JSON, its second comes from no bucket."""
    spec = await deploy(bench, tmp_path, "powertools", "app.batch")
    event = sample("s3SqsEvent")
    [good] = event["Records"]
    event["Records"] = [good, good | {"messageId": "bad", "body": "spoilt"}]
    assert await call(bench, spec, event, request_id="r-1") == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    [line] = [json.loads(line) for line in bench.messages("r-1") if line.startswith("{")]
    assert (line["message"], line["keys"], line["function_request_id"]) == ("taken", ["test.pdf"], "r-1")
    assert (line["function_name"], line["function_memory_size"]) == ("birds", "512")


@pytest.mark.parametrize("handler", ["app.asgi", "app.wsgi"])
async def test_web_apps(bench: Bench, tmp_path: Path, handler: str) -> None:
    spec = await deploy(bench, tmp_path, "web", handler)
    for name in ("apiGatewayProxyEvent", "apiGatewayProxyV2Event"):
        said = await call(bench, spec, sample(name), request_id=name)
        assert said["statusCode"] == 200
        body = json.loads(said["body"])
        assert (body["path"], body["id"]) == ("/my/path", name)
        assert body["query"] == {"parameter1": ["value1", "value2"], "parameter2": ["value"]}


async def test_chalice(bench: Bench, tmp_path: Path) -> None:
    spec = await deploy(bench, tmp_path, "chalice", "app.on_put")
    event = sample("s3Event")
    said = await call(bench, spec, event, request_id="r-2")
    assert said == {"bucket": "lambda-artifacts-deafc19498e3f2df", "key": "b21b84d653bb07b05b1e6b33684dc11b",
                    "record": event["Records"][0], "id": "r-2"}  # fmt: skip
    assert any("put b21b84d6" in line for line in bench.messages("r-2"))


async def test_sentry_sees_what_a_handler_raises(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    """It finds AWS's client by the name that Lambda's own start script gives it, and wraps its loop."""
    bench = make_bench("awslambdaric")
    spec = await deploy(bench, tmp_path, "sentry", "app.handler")
    assert error(await bench.call(spec, b'"robin"', request_id="r-3"))["errorType"] == "LookupError"
    assert ["reported LookupError robin r-3 birds" in line for line in bench.messages("r-3")].count(True) == 1
