"""Functions: how they fare; one function with its code, settings, triggers, versions, charts and log; and a test."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alight.calls import Members
from alight.console.blueprints import BLUEPRINTS, package_of
from alight.console.charts import HEIGHT, WIDTH, Line, chart, figure, sparkline
from alight.console.forms import goes_to, read_form, shows_again
from alight.console.render import Render
from alight.console.samples import samples
from alight.console.triggers import EVENTS, add_bucket, remove, triggers_of
from alight.console.world import World
from alight.parsed import parsed

#: Minutes that the figures of the list look back.
HOUR = 60
RUNTIMES = ("python3.11", "python3.12", "python3.13")
_NAMESPACE = "AWS/Lambda"
#: In the names of variables whose values are not shown.
SECRET = ("SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL", "PRIVATE", "API_KEY", "APIKEY")
MASK = "•" * 8
CHARTS = (
    ("Invocations", (Line("Invocations", "Sum", "invocations"),)),
    ("Duration, ms", (Line("Duration", "p50", "p50"), Line("Duration", "p99", "p99"))),
    ("Errors", (Line("Errors", "Sum", "errors"),)),
    ("Throttles", (Line("Throttles", "Sum", "throttles"),)),
    ("Asynchronous age, ms", (Line("AsyncEventAge", "Maximum", "age"),)),
)


class Functions:
    """`/functions`, and `/functions/NAME` with its tabs."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        one = "/functions/{name}"
        return [
            Route("/functions", self.index),
            Route("/functions", self.create, methods=["POST"]),
            Route(one, self.page),
            Route(f"{one}/charts/{{number:int}}", self.charts),
            Route(f"{one}/environment", self.environment, methods=["POST"]),
            Route(f"{one}/configuration", self.configure, methods=["POST"]),
            Route(f"{one}/triggers", self.add_trigger, methods=["POST"]),
            Route(f"{one}/triggers/remove", self.remove_trigger, methods=["POST"]),
            Route(f"{one}/versions", self.publish, methods=["POST"]),
            Route(f"{one}/aliases", self.alias, methods=["POST"]),
            Route(f"{one}/test", self.test, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        answer = await self._world.call("lambda", "ListFunctions", {})
        rows = await asyncio.gather(*(self._row(one) for one in answer["Functions"]))
        roles = await self._world.roles_for("lambda.amazonaws.com")
        return self._render.page(
            request,
            "functions.html",
            rows=rows,
            blueprints=BLUEPRINTS,
            roles=roles,
            runtimes=RUNTIMES,
            box=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        )

    async def _row(self, configuration: Members) -> Members:
        name = configuration["FunctionName"]
        where = {"FunctionName": name}

        async def one(metric: str, statistic: str) -> float | None:
            return await figure(self._world, _NAMESPACE, metric, statistic, where, HOUR)

        busy = await chart(self._world, _NAMESPACE, where, (Line("ConcurrentExecutions", "Maximum", ""),), minutes=HOUR)
        return {
            "name": name,
            "runtime": configuration["Runtime"],
            "invocations": await one("Invocations", "Sum") or 0,
            "errors": await one("Errors", "Sum") or 0,
            "p50": await one("Duration", "p50"),
            "p99": await one("Duration", "p99"),
            "line": sparkline(busy["columns"][1]),
            "most": int(max((value or 0 for value in busy["columns"][1]), default=0)),
        }

    async def create(self, request: Request) -> Response:
        form = await read_form(request)
        blueprint = next((one for one in BLUEPRINTS if one.name == form["blueprint"]), None)
        if blueprint is None:
            raise HTTPException(400, "Choose a blueprint.")
        variables = {name: form[f"variable-{name}"] for name in blueprint.variables if form[f"variable-{name}"]}
        await self._world.call(
            "lambda",
            "CreateFunction",
            {
                "FunctionName": form["name"],
                "Runtime": form["runtime"],
                "Role": form["role"],
                "Handler": blueprint.handler,
                "Code": {"ZipFile": await asyncio.to_thread(package_of, blueprint)},
                "Environment": {"Variables": variables},
            },
        )
        return goes_to(request, f"/functions/{form['name']}")

    async def page(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = await self._world.call("lambda", "GetFunction", {"FunctionName": name})
        configuration = found["Configuration"]
        versions = (await self._world.call("lambda", "ListVersionsByFunction", {"FunctionName": name}))["Versions"]
        aliases = (await self._world.call("lambda", "ListAliases", {"FunctionName": name}))["Aliases"]
        variables = (configuration.get("Environment") or {}).get("Variables") or {}
        return self._render.page(
            request,
            "function.html",
            name=name,
            configuration=configuration,
            variables=[(key, MASK if is_secret(key) else value) for key, value in sorted(variables.items())],
            triggers=await triggers_of(self._world, name),
            buckets=[bucket.name for bucket in self._world.objects.list_buckets()],
            events=EVENTS,
            versions=versions,
            aliases=aliases,
            charts=[title for title, _ in CHARTS],
            samples=samples(),
        )

    async def charts(self, request: Request) -> Response:
        _, lines = CHARTS[request.path_params["number"] % len(CHARTS)]
        where = {"FunctionName": request.path_params["name"]}
        return JSONResponse(await chart(self._world, _NAMESPACE, where, lines, minutes=3 * HOUR))

    async def environment(self, request: Request) -> Response:
        """All variables at once; one that is still masked keeps its value, one without a name goes."""
        name, form = request.path_params["name"], await read_form(request)
        given = {"FunctionName": name}
        known = await self._world.call("lambda", "GetFunctionConfiguration", given)
        before = (known.get("Environment") or {}).get("Variables") or {}
        after = {
            key: before[key] if value == MASK and key in before else value
            for key, value in zip(form.all("key"), form.all("value"), strict=True)
            if key
        }
        await self._world.call("lambda", "UpdateFunctionConfiguration", {**given, "Environment": {"Variables": after}})
        return shows_again(request)

    async def configure(self, request: Request) -> Response:
        """Timeout, memory, handler and description; a field that is left empty stays as it is."""
        form = await read_form(request)
        given: Members = {"FunctionName": request.path_params["name"], "Description": form["description"]}
        if form["handler"]:
            given["Handler"] = form["handler"]
        for member, field in (("Timeout", "timeout"), ("MemorySize", "memory")):
            if form[field]:
                given[member] = _whole(form[field], member)
        await self._world.call("lambda", "UpdateFunctionConfiguration", given)
        return shows_again(request)

    async def add_trigger(self, request: Request) -> Response:
        form = await read_form(request)
        await add_bucket(
            self._world, request.path_params["name"], form["bucket"], form.all("event"), form["prefix"], form["suffix"]
        )
        return shows_again(request)

    async def remove_trigger(self, request: Request) -> Response:
        form = await read_form(request)
        await remove(self._world, request.path_params["name"], form["kind"], form["source"], form["id"])
        return shows_again(request)

    async def publish(self, request: Request) -> Response:
        form = await read_form(request)
        given = {"FunctionName": request.path_params["name"], "Description": form["description"]}
        await self._world.call("lambda", "PublishVersion", given)
        return shows_again(request)

    async def alias(self, request: Request) -> Response:
        """A name for a version: a new one, or one that moves."""
        name, form = request.path_params["name"], await read_form(request)
        known = (await self._world.call("lambda", "ListAliases", {"FunctionName": name}))["Aliases"]
        operation = "UpdateAlias" if form["alias"] in {one["Name"] for one in known} else "CreateAlias"
        given = {"FunctionName": name, "Name": form["alias"], "FunctionVersion": form["version"]}
        await self._world.call("lambda", operation, given)
        return shows_again(request)

    async def test(self, request: Request) -> Response:
        """Run it now with what stands in the box; the answer and the log replace the last ones."""
        form = await read_form(request)
        event = event_of(form.raw("event"))
        answer = await self._world.call(
            "lambda",
            "Invoke",
            {"FunctionName": request.path_params["name"], "Payload": event, "LogType": "Tail"},
        )
        return self._render.page(request, "_tested.html", **tested(answer))

    async def delete(self, request: Request) -> Response:
        await self._world.call("lambda", "DeleteFunction", {"FunctionName": request.path_params["name"]})
        return goes_to(request, "/functions")


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise HTTPException(400, f"{name} is a whole number, not {text}.") from None


def is_secret(name: str) -> bool:
    """Whether a variable's name says that its value is nobody's business."""
    return any(word in name.upper() for word in SECRET)


def event_of(text: str) -> bytes:
    """What stands in the box. Raises `HTTPException`."""
    try:
        return json.dumps(parsed(text)).encode()
    except ValueError as error:
        raise HTTPException(400, f"The event is not JSON: {error}.") from None


def tested(answer: Members) -> dict[str, Any]:
    """An Invoke's answer, for reading."""
    payload = answer["Payload"]
    try:
        shown = json.dumps(parsed(payload), indent=2, ensure_ascii=False)
    except ValueError:
        shown = payload.decode("utf-8", "replace")
    return {"failed": answer.get("FunctionError", ""), "payload": shown, "log": decoded(answer.get("LogResult") or "")}


def decoded(log: str) -> str:
    """The end of a log, which comes in base64."""
    return b64decode(log).decode("utf-8", "replace")
