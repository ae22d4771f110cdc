"""APIs: stages, routes, a box to try them in, what was asked of late; and one for a function by a click."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alight.calls import Members
from alight.console.forms import goes_to, read_form, shows_again
from alight.console.methods import METHODS, add_http_route, add_rest_method, deploy
from alight.console.render import Render, segment
from alight.console.world import World

#: Requests that are shown.
RECENT = 50


class Apis:
    """`/apis` and `/apis/KIND/ID`; KIND is rest or http."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        return [
            Route("/apis", self.index),
            Route("/apis", self.create, methods=["POST"]),
            Route("/apis/rest/{id}", self.rest),
            Route("/apis/http/{id}", self.http),
            Route("/apis/{kind}/{id}/routes", self.add_route, methods=["POST"]),
            Route("/apis/{kind}/{id}/deploy", self.deploy, methods=["POST"]),
            Route("/apis/{kind}/{id}/delete", self.delete, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        rest = (await self._world.call("apigateway", "GetRestApis", {})).get("items") or []
        http = (await self._world.call("apigatewayv2", "GetApis", {})).get("Items") or []
        rows = [("rest", one["id"], one["name"]) for one in rest] + [
            ("http", one["ApiId"], one["Name"]) for one in http
        ]
        return self._render.page(
            request,
            "apis.html",
            rows=rows,
            functions=await self._functions(),
            methods=METHODS,
        )

    async def create(self, request: Request) -> Response:
        """A REST API with one method on `/`, a Lambda proxy integration and a stage: as courses click it."""
        form = await read_form(request)
        api = await self._world.call("apigateway", "CreateRestApi", {"name": form["name"]})
        await add_rest_method(self._world, api["id"], form["method"], "/", form["function"])
        await deploy(self._world, "rest", api["id"], form["stage"])
        return goes_to(request, f"/apis/rest/{segment(api['id'])}")

    async def rest(self, request: Request) -> Response:
        id = request.path_params["id"]
        api = await self._world.call("apigateway", "GetRestApi", {"restApiId": id})
        stages = (await self._world.call("apigateway", "GetStages", {"restApiId": id})).get("item") or []
        found = await self._world.call("apigateway", "GetResources", {"restApiId": id, "embed": ["methods"]})
        routes = [
            (method, one["path"], _rest_target(details))
            for one in sorted(found["items"], key=lambda one: str(one["path"]))
            for method, details in sorted((one.get("resourceMethods") or {}).items())
        ]
        return await self._page(request, "rest", id, api["name"], [one["stageName"] for one in stages], routes)

    async def http(self, request: Request) -> Response:
        id = request.path_params["id"]
        api = await self._world.call("apigatewayv2", "GetApi", {"ApiId": id})
        stages = (await self._world.call("apigatewayv2", "GetStages", {"ApiId": id})).get("Items") or []
        integrations = (await self._world.call("apigatewayv2", "GetIntegrations", {"ApiId": id})).get("Items") or []
        targets = {f"integrations/{one['IntegrationId']}": one.get("IntegrationUri", "") for one in integrations}
        found = (await self._world.call("apigatewayv2", "GetRoutes", {"ApiId": id})).get("Items") or []
        routes = []
        for one in found:
            method, _, path = one["RouteKey"].partition(" ")
            routes.append((method, path or "(everything else)", targets.get(one.get("Target", ""), "")))
        return await self._page(request, "http", id, api["Name"], [one["StageName"] for one in stages], routes)

    async def add_route(self, request: Request) -> Response:
        """A method with a Lambda proxy integration, deployed at once to the stage that is named."""
        kind, id, form = request.path_params["kind"], request.path_params["id"], await read_form(request)
        if form["method"] not in METHODS:
            raise HTTPException(400, "Choose a method.")
        add = add_rest_method if kind == "rest" else add_http_route
        await add(self._world, id, form["method"], form["path"], form["function"])
        await deploy(self._world, kind, id, form["stage"])
        return shows_again(request)

    async def deploy(self, request: Request) -> Response:
        """What was changed, by whomever, to a stage."""
        form = await read_form(request)
        await deploy(self._world, request.path_params["kind"], request.path_params["id"], form["stage"])
        return shows_again(request)

    async def _functions(self) -> list[str]:
        functions = (await self._world.call("lambda", "ListFunctions", {}))["Functions"]
        return [one["FunctionName"] for one in functions]

    async def delete(self, request: Request) -> Response:
        kind, id = request.path_params["kind"], request.path_params["id"]
        if kind == "rest":
            await self._world.call("apigateway", "DeleteRestApi", {"restApiId": id})
        else:
            await self._world.call("apigatewayv2", "DeleteApi", {"ApiId": id})
        return goes_to(request, "/apis")

    async def _page(
        self, request: Request, kind: str, id: str, name: str, stages: list[str], routes: list[tuple[str, str, str]]
    ) -> Response:
        await self._world.telemetry.flush()
        base = f"{self._world.base_url()}/_aws/execute-api/{id}"
        return self._render.page(
            request,
            "api.html",
            kind=kind,
            id=id,
            name=name,
            stages=[(stage, f"{base}/{'' if stage == '$default' else stage}") for stage in stages],
            routes=routes,
            recent=self._world.telemetry.api_requests(id, RECENT),
            methods=METHODS,
            # What the box to try it begins with.
            first=next((method for method, _, _ in routes if method in METHODS and method != "ANY"), "GET"),
            functions=await self._functions(),
            usual="prod" if kind == "rest" else "$default",
        )


def _rest_target(details: Members) -> str:
    return str((details.get("methodIntegration") or {}).get("uri", "")).removesuffix("/invocations").rpartition("/")[2]
