"""A deployed snapshot of a REST API and its stage become what the room `apis` serves (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alight.apis.api import Api, Authorizer, Integrating, Integration, Route
from alight.services.apigateway.methods_rules import constant_headers
from alight.services.apigateway.uris import function_of, with_variables

Body = dict[str, Any]

#: How integrations are kept → what the room calls them.
_KINDS: Mapping[str, Integrating] = {
    "AWS_PROXY": "AWS_PROXY",
    "AWS": "AWS",
    "HTTP_PROXY": "HTTP_PROXY",
    "MOCK": "PREFLIGHT",
}


def compiled(body: Body, stage: Body, snapshot: Body) -> Api:
    """`body` is the API's record, `stage` one of its stages, `snapshot` what its deployment holds."""
    variables = dict(stage.get("variables") or {})
    authorizers = {key: authorizer(one, variables) for key, one in snapshot["Authorizers"].items()}
    routes = [
        _route(resource, method, authorizers, variables)
        for resource in snapshot["Resources"].values()
        for method in resource["Methods"].values()
    ]
    return Api(
        id=body["Api"]["id"],
        name=body["Api"]["name"],
        kind="REST",
        stage=stage["stageName"],
        routes=tuple(sorted(routes, key=lambda route: (route.path, route.method))),
        variables=variables,
        binary_media_types=tuple(snapshot.get("binaryMediaTypes") or ()),
        minimum_compression=snapshot.get("minimumCompressionSize"),
        deployment=stage["deploymentId"],
    )


def _route(resource: Body, method: Body, authorizers: Mapping[str, Authorizer], variables: Mapping[str, str]) -> Route:
    return Route(
        method=method["httpMethod"],
        path=resource["path"],
        integration=integration(method["methodIntegration"], variables),
        resource_id=resource["id"],
        operation_name=method.get("operationName", ""),
        authorizer=authorizers[method["authorizerId"]] if method["authorizationType"] == "CUSTOM" else None,
        signed=method["authorizationType"] == "AWS_IAM",
    )


def integration(kept: Body, variables: Mapping[str, str]) -> Integration:
    kind = _KINDS[kept["type"]]
    timeout = kept["timeoutInMillis"] / 1000
    if kind == "PREFLIGHT":
        return Integration(kind, headers=constant_headers(kept), timeout=timeout)
    uri = with_variables(kept["uri"], variables)
    if kind == "HTTP_PROXY":
        parameters = dict(kept.get("requestParameters") or {})
        return Integration(kind, uri=uri, method=kept["httpMethod"], parameters=parameters, timeout=timeout)
    # A variable that the stage does not have leaves no function's ARN: calling it fails, as on AWS.
    headers = constant_headers(kept) if kind == "AWS" else {}
    return Integration(kind, function=function_of(uri) or uri, timeout=timeout, headers=headers)


def authorizer(kept: Body, variables: Mapping[str, str]) -> Authorizer:
    sources = [source.strip() for source in kept.get("identitySource", "").split(",")]
    uri = with_variables(kept["authorizerUri"], variables)
    return Authorizer(
        id=kept["id"],
        kind=kept["type"],
        function=function_of(uri) or uri,
        sources=tuple(source for source in sources if source),
        ttl=float(kept["authorizerResultTtlInSeconds"]),
        pattern=kept.get("identityValidationExpression", ""),
    )
