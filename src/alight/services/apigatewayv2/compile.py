"""A deployed snapshot of an HTTP API and its stage become what the room `apis` serves (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from alight.apis.api import Api, Authorizer, Cors, Integration, Route
from alight.services.apigateway.uris import function_of, with_variables
from alight.services.apigatewayv2.rules import route_of_key

Body = dict[str, Any]


def compiled(body: Body, stage: Body, snapshot: Body) -> Api:
    """`body` is the API's record, `stage` one of its stages, `snapshot` what its deployment holds."""
    variables = dict(stage.get("StageVariables") or {})
    authorizers = {key: authorizer(one, variables) for key, one in snapshot["Authorizers"].items()}
    routes = [
        _route(route, snapshot["Integrations"][route["Target"].removeprefix("integrations/")], authorizers, variables)
        for route in snapshot["Routes"].values()
        # A route without an integration answers nothing, as if it were not there.
        if route.get("Target")
    ]
    return Api(
        id=body["Api"]["ApiId"],
        name=body["Api"]["Name"],
        kind="HTTP",
        stage=stage["StageName"],
        routes=tuple(sorted(routes, key=lambda route: (route.path, route.method))),
        variables=variables,
        cors=cors(snapshot["Cors"]) if snapshot["Cors"] else None,
    )


def _route(route: Body, target: Body, authorizers: Mapping[str, Authorizer], variables: Mapping[str, str]) -> Route:
    method, path = route_of_key(route["RouteKey"])
    return Route(
        method=method,
        path=path,
        integration=integration(target, variables),
        resource_id=route["RouteId"],
        operation_name=route.get("OperationName", ""),
        authorizer=authorizers[route["AuthorizerId"]] if route["AuthorizationType"] == "CUSTOM" else None,
        signed=route["AuthorizationType"] == "AWS_IAM",
    )


def integration(kept: Body, variables: Mapping[str, str]) -> Integration:
    uri = with_variables(kept["IntegrationUri"], variables)
    timeout = kept["TimeoutInMillis"] / 1000
    if kept["IntegrationType"] == "AWS_PROXY":
        return Integration(
            "AWS_PROXY", function=function_of(uri) or uri, payload=kept["PayloadFormatVersion"], timeout=timeout
        )
    # Path parameters are filled in by their names; REST APIs have to say so, HTTP APIs always do.
    named = re.findall(r"\{([\w-]+)\}", uri)
    parameters = {f"integration.request.path.{name}": f"method.request.path.{name}" for name in named}
    return Integration("HTTP_PROXY", uri=uri, method=kept["IntegrationMethod"], parameters=parameters, timeout=timeout)


def authorizer(kept: Body, variables: Mapping[str, str]) -> Authorizer:
    uri = with_variables(kept["AuthorizerUri"], variables)
    return Authorizer(
        id=kept["AuthorizerId"],
        kind="REQUEST",
        function=function_of(uri) or uri,
        sources=tuple(kept["IdentitySource"]),
        ttl=float(kept["AuthorizerResultTtlInSeconds"]),
        payload=kept["AuthorizerPayloadFormatVersion"],
        simple=kept["EnableSimpleResponses"],
    )


def cors(kept: Body) -> Cors:
    return Cors(
        origins=tuple(kept.get("AllowOrigins") or ()),
        methods=tuple(kept.get("AllowMethods") or ()),
        headers=tuple(kept.get("AllowHeaders") or ()),
        exposed=tuple(kept.get("ExposeHeaders") or ()),
        credentials=bool(kept.get("AllowCredentials")),
        max_age=kept.get("MaxAge"),
    )
