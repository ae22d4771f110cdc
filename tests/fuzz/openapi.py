"""A small API from an OpenAPI document, served as a REST API and as an HTTP API, for a tool that reads such documents.

    .venv/bin/python -m tests.fuzz.openapi schemathesis run --checks not_a_server_error -n 500

The document is imported into a fresh instance on loopback, twice, and the command is run on it once for each: it gets
the document's path and `--url` with the API's address behind its own words. So what is asked is what the document
allows, and much that it does not; what passes the gateway goes to a function, which tells it back. `schemathesis` is
not among what the tests install: it goes into a venv of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support import Instance, start_alight, sweep
from tests.walk.making import let_in, make_function, make_role

#: Tells back what came in, as JSON, whatever it was.
ECHO = """
import json
def handler(event, context):
    told = {name: event.get(name) for name in ("body", "isBase64Encoded", "pathParameters", "queryStringParameters")}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(told)}
"""
TEXT = {"type": "string"}
BIRD = {
    "type": "object",
    "required": ["name", "weight"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 64},
        "weight": {"type": "number", "minimum": 0},
        "seen": {"type": "array", "items": TEXT, "maxItems": 8},
        "ringed": {"type": "boolean"},
    },
}


def document(function: str, rest: bool) -> dict[str, Any]:
    """Every place that a parameter can have, a body with a model, many verbs."""
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri if rest else function}
    integration |= {} if rest else {"payloadFormatVersion": "2.0"}
    ok = {"200": {"description": "told back"}}

    def operation(*parameters: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
        made: dict[str, Any] = {"parameters": list(parameters), "responses": ok}
        made["x-amazon-apigateway-integration"] = integration
        if body is not None:
            made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        return made

    def given(name: str, where: str, required: bool = False, **schema: Any) -> dict[str, Any]:
        return {
            "name": name,
            "in": where,
            "required": required or where == "path",
            "schema": {"type": "string"} | schema,
        }

    reference = {"$ref": "#/components/schemas/Bird"}
    made: dict[str, Any] = {
        "openapi": "3.0.1",
        "info": {"title": "fuzzed", "version": "1"},
        "paths": {
            "/birds": {
                "get": operation(
                    given("limit", "query", type="integer"), given("like", "query"), given("X-Trace", "header")
                ),
                "post": operation(given("dry", "query", True, type="boolean"), body=reference),
            },
            "/birds/{name}": {
                "get": operation(given("name", "path"), given("X-Since", "header", True)),
                "put": operation(given("name", "path"), body=reference),
                "patch": operation(given("name", "path"), body={"type": "object"}),
                "delete": operation(given("name", "path")),
            },
            "/files/{path}": {"get": operation(given("path", "path"), given("cookie", "cookie"))},
        },
        "components": {"schemas": {"Bird": BIRD}},
    }
    return made


def addresses(instance: Instance, folder: Path) -> dict[str, Path]:
    """URL of each API, and the document that it was made from."""
    make_role(instance)
    function = make_function(instance, "echo", ECHO)
    let_in(instance, function, "apigateway", "arn:aws:execute-api:us-east-1:000000000000:*")
    made = {}
    for kind in ("rest", "http"):
        path = folder / f"{kind}.json"
        path.write_text(text := json.dumps(document(function, kind == "rest")))
        if kind == "rest":
            rest = instance.client("apigateway")
            api = rest.import_rest_api(body=text.encode())["id"]
            rest.create_deployment(restApiId=api, stageName="fuzzed")
        else:
            http = instance.client("apigatewayv2")
            api = http.import_api(Body=text)["ApiId"]
            http.create_stage(ApiId=api, StageName="fuzzed", AutoDeploy=True)
        made[f"{instance.url}/_aws/execute-api/{api}/fuzzed"] = path
    return made


def main(words: list[str]) -> int:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        instance = start_alight(Path(name) / "data", timeout=60)
        try:
            codes = []
            for url, path in addresses(instance, Path(name)).items():
                print(f"{path.stem.upper()} API:", flush=True)
                codes.append(subprocess.run([*words, str(path), "--url", url], check=False).returncode)
            assert instance.process.poll() is None, "the runtime has ended"
            assert instance.stop() == 0
            said = instance.stderr.read_text()
            print(f"stderr of the runtime: {said.count('Traceback')} tracebacks, {said.count('ERROR')} errors")
            print(said[-6000:] if "Traceback" in said else "")
        finally:
            sweep(instance.process)
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
