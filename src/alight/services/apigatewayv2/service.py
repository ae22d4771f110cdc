"""The operations of API Gateway v2 (HTTP APIs) that Alight serves, and what each of their members means here."""

from __future__ import annotations

from alight.calls import Handler
from alight.services.apigateway.ledger import Ledger
from alight.services.apigatewayv2.apis import Apis
from alight.services.apigatewayv2.parts import Parts, authorizers, integrations, routes
from alight.services.apigatewayv2.stages import Deployments, Stages
from alight.services.members import Table, guarded, support

_PAGE = "MaxResults NextToken"
_API = (
    "Name CorsConfiguration RouteKey Target RouteSelectionExpression DisableExecuteApiEndpoint",
    "Description Version IpAddressType CredentialsArn",
)
_ROUTE = "RouteKey Target AuthorizationType AuthorizerId AuthorizationScopes ApiKeyRequired OperationName"
_INTEGRATION = (
    "IntegrationType IntegrationUri IntegrationMethod IntegrationSubtype PayloadFormatVersion TimeoutInMillis "
    "ConnectionType ConnectionId RequestParameters ResponseParameters TlsConfig",
    "Description CredentialsArn",
)
_AUTHORIZER = (
    "Name AuthorizerType AuthorizerUri AuthorizerPayloadFormatVersion AuthorizerResultTtlInSeconds "
    "EnableSimpleResponses IdentitySource IdentityValidationExpression JwtConfiguration",
    "AuthorizerCredentialsArn",
)
_STAGE = (
    "StageName AutoDeploy DeploymentId StageVariables DefaultRouteSettings RouteSettings",
    "Description AccessLogSettings",
)

TABLE: Table = {
    "CreateApi": support(f"ProtocolType Tags {_API[0]}", _API[1]),
    "GetApi": support("ApiId"),
    "GetApis": support(_PAGE),
    "UpdateApi": support(f"ApiId {_API[0]}", _API[1]),
    "DeleteApi": support("ApiId"),
    "ImportApi": support("Body Basepath FailOnWarnings"),
    "ReimportApi": support("ApiId Body Basepath FailOnWarnings"),
    "DeleteCorsConfiguration": support("ApiId"),
    "CreateRoute": support(f"ApiId {_ROUTE}"),
    "GetRoute": support("ApiId RouteId"),
    "GetRoutes": support(f"ApiId {_PAGE}"),
    "UpdateRoute": support(f"ApiId RouteId {_ROUTE}"),
    "DeleteRoute": support("ApiId RouteId"),
    "CreateIntegration": support(f"ApiId {_INTEGRATION[0]}", _INTEGRATION[1]),
    "GetIntegration": support("ApiId IntegrationId"),
    "GetIntegrations": support(f"ApiId {_PAGE}"),
    "UpdateIntegration": support(f"ApiId IntegrationId {_INTEGRATION[0]}", _INTEGRATION[1]),
    "DeleteIntegration": support("ApiId IntegrationId"),
    "CreateAuthorizer": support(f"ApiId {_AUTHORIZER[0]}", _AUTHORIZER[1]),
    "GetAuthorizer": support("ApiId AuthorizerId"),
    "GetAuthorizers": support(f"ApiId {_PAGE}"),
    "UpdateAuthorizer": support(f"ApiId AuthorizerId {_AUTHORIZER[0]}", _AUTHORIZER[1]),
    "DeleteAuthorizer": support("ApiId AuthorizerId"),
    "CreateStage": support(f"ApiId Tags {_STAGE[0]}", _STAGE[1]),
    "GetStage": support("ApiId StageName"),
    "GetStages": support(f"ApiId {_PAGE}"),
    "UpdateStage": support(f"ApiId {_STAGE[0]}", _STAGE[1]),
    "DeleteStage": support("ApiId StageName"),
    "CreateDeployment": support("ApiId StageName Description"),
    "GetDeployment": support("ApiId DeploymentId"),
    "GetDeployments": support(f"ApiId {_PAGE}"),
    "UpdateDeployment": support("ApiId DeploymentId Description"),
    "DeleteDeployment": support("ApiId DeploymentId"),
    "TagResource": support("ResourceArn Tags"),
    "UntagResource": support("ResourceArn TagKeys"),
    "GetTags": support("ResourceArn"),
}


def operations(ledger: Ledger) -> dict[tuple[str, str], Handler]:
    """The service's part of the operations table; `ledger` is that of HTTP APIs."""
    apis, stages, deployments = Apis(ledger), Stages(ledger), Deployments(ledger)
    handlers: dict[str, Handler] = {
        "CreateApi": apis.create_api,
        "GetApi": apis.get_api,
        "GetApis": apis.get_apis,
        "UpdateApi": apis.update_api,
        "DeleteApi": apis.delete_api,
        "ImportApi": apis.import_api,
        "ReimportApi": apis.reimport_api,
        "DeleteCorsConfiguration": apis.delete_cors_configuration,
        "TagResource": apis.tag_resource,
        "UntagResource": apis.untag_resource,
        "GetTags": apis.get_tags,
        "CreateStage": stages.create_stage,
        "GetStage": stages.get_stage,
        "GetStages": stages.get_stages,
        "UpdateStage": stages.update_stage,
        "DeleteStage": stages.delete_stage,
        "CreateDeployment": deployments.create_deployment,
        "GetDeployment": deployments.get_deployment,
        "GetDeployments": deployments.get_deployments,
        "UpdateDeployment": deployments.update_deployment,
        "DeleteDeployment": deployments.delete_deployment,
    }
    parts = {"Route": routes(ledger), "Integration": integrations(ledger), "Authorizer": authorizers(ledger)}
    for word, one in parts.items():
        handlers |= _handlers(word, one)
    return guarded("apigatewayv2", TABLE, handlers)


def _handlers(word: str, parts: Parts) -> dict[str, Handler]:
    return {
        f"Create{word}": parts.create,
        f"Get{word}": parts.get,
        f"Get{word}s": parts.list,
        f"Update{word}": parts.update,
        f"Delete{word}": parts.delete,
    }
