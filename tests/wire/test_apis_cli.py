"""The lab's API as the aws command line makes it: version 1 of this environment, version 2 where the system has it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alight.apis.api import Integration
from tests.loaded import Loaded
from tests.wire.running_apis import Running, running_apis
from tests.wire.served import AWS_PROGRAMS, aws_environment

Aws = Callable[..., Any]

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:sentiment_analysis_xgboost_func"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_apis(tmp_path_factory.mktemp("data")) as here:
        yield here


@pytest.fixture(params=AWS_PROGRAMS)
def aws(request: pytest.FixtureRequest, running: Running, tmp_path: Path, loaded: Loaded) -> Aws:
    """`aws("apigateway", "get-rest-apis")`: what a command that must succeed has answered."""
    program = loaded(request.param)
    environment = aws_environment(tmp_path)

    def run(*words: str) -> Any:
        command = [program, "--endpoint-url", running.url, "--output", "json", *words]
        done = subprocess.run(command, capture_output=True, env=environment, timeout=100, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_the_lab_by_commands(aws: Aws, running: Running) -> None:
    api = aws("apigateway", "create-rest-api", "--name", "sentiment_analysis_web_app")["id"]
    (root,) = aws("apigateway", "get-resources", "--rest-api-id", api)["items"]
    here = ("--rest-api-id", api, "--resource-id", root["id"], "--http-method", "POST")
    aws("apigateway", "put-method", *here, "--authorization-type", "NONE")
    aws(
        *("apigateway", "put-integration", *here, "--type", "AWS_PROXY", "--integration-http-method", "POST"),
        *("--uri", URI),
    )
    aws("apigateway", "create-deployment", "--rest-api-id", api, "--stage-name", "prod")
    served = running.served.find(api, "prod")
    assert served is not None
    assert [(route.method, route.path) for route in served.routes] == [("POST", "/")]
    assert served.routes[0].integration == Integration("AWS_PROXY", function=FUNCTION, timeout=29.0)


def test_an_http_api_by_one_command(aws: Aws, running: Running) -> None:
    made = aws("apigatewayv2", "create-api", "--name", "web", "--protocol-type", "HTTP", "--target", FUNCTION)
    served = running.served.find(made["ApiId"], "$default")
    assert served is not None
    assert served.routes[0].integration.function == FUNCTION
