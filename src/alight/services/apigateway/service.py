"""The operations of API Gateway (REST APIs) that Alight serves, and what each of their members means here."""

from __future__ import annotations

from alight.calls import Handler
from alight.services.apigateway.authorizers import Authorizers
from alight.services.apigateway.deployments import Deployments
from alight.services.apigateway.integrations import Integrations
from alight.services.apigateway.ledger import Ledger
from alight.services.apigateway.methods import Methods
from alight.services.apigateway.resources import Resources
from alight.services.apigateway.rest_apis import RestApis
from alight.services.apigateway.stages import Stages
from alight.services.apigateway.tags import Tags
from alight.services.members import Table, guarded, support
from alight.store.records import Records

_API = "restApiId"
_PAGE = "position limit"
_METHOD = f"{_API} resourceId httpMethod"
_RESPONSE = f"{_METHOD} statusCode"
_CALLED = (
    "type integrationHttpMethod uri requestParameters requestTemplates passthroughBehavior timeoutInMillis "
    "connectionType connectionId contentHandling tlsConfig responseTransferMode"
)
_AUTHORIZER = "name type authorizerUri identitySource identityValidationExpression authorizerResultTtlInSeconds"

TABLE: Table = {
    "CreateRestApi": support(
        "name description binaryMediaTypes minimumCompressionSize endpointConfiguration tags disableExecuteApiEndpoint "
        "policy",
        "version apiKeySource securityPolicy endpointAccessMode",
    ),
    "GetRestApi": support(_API),
    "GetRestApis": support(_PAGE),
    "UpdateRestApi": support(f"{_API} patchOperations"),
    "DeleteRestApi": support(_API),
    "ImportRestApi": support("body failOnWarnings parameters"),
    "PutRestApi": support(f"{_API} body mode failOnWarnings parameters"),
    "GetResources": support(f"{_API} {_PAGE} embed"),
    "GetResource": support(f"{_API} resourceId embed"),
    "CreateResource": support(f"{_API} parentId pathPart"),
    "UpdateResource": support(f"{_API} resourceId patchOperations"),
    "DeleteResource": support(f"{_API} resourceId"),
    "PutMethod": support(
        f"{_METHOD} authorizationType authorizerId operationName apiKeyRequired requestValidatorId authorizationScopes",
        "requestParameters requestModels",
    ),
    "GetMethod": support(_METHOD),
    "UpdateMethod": support(f"{_METHOD} patchOperations"),
    "DeleteMethod": support(_METHOD),
    "PutMethodResponse": support(f"{_RESPONSE} responseParameters", "responseModels"),
    "GetMethodResponse": support(_RESPONSE),
    "UpdateMethodResponse": support(f"{_RESPONSE} patchOperations"),
    "DeleteMethodResponse": support(_RESPONSE),
    "PutIntegration": support(f"{_METHOD} {_CALLED}", "credentials cacheNamespace cacheKeyParameters"),
    "GetIntegration": support(_METHOD),
    "UpdateIntegration": support(f"{_METHOD} patchOperations"),
    "DeleteIntegration": support(_METHOD),
    "PutIntegrationResponse": support(
        f"{_RESPONSE} selectionPattern responseParameters responseTemplates contentHandling"
    ),
    "GetIntegrationResponse": support(_RESPONSE),
    "UpdateIntegrationResponse": support(f"{_RESPONSE} patchOperations"),
    "DeleteIntegrationResponse": support(_RESPONSE),
    "CreateDeployment": support(
        f"{_API} stageName description stageDescription variables cacheClusterEnabled", "tracingEnabled"
    ),
    "GetDeployment": support(f"{_API} deploymentId embed"),
    "GetDeployments": support(f"{_API} {_PAGE}"),
    "UpdateDeployment": support(f"{_API} deploymentId patchOperations"),
    "DeleteDeployment": support(f"{_API} deploymentId"),
    "CreateStage": support(
        f"{_API} stageName deploymentId description variables tags cacheClusterEnabled",
        "documentationVersion tracingEnabled",
    ),
    "GetStage": support(f"{_API} stageName"),
    "GetStages": support(f"{_API} deploymentId"),
    "UpdateStage": support(f"{_API} stageName patchOperations"),
    "DeleteStage": support(f"{_API} stageName"),
    "CreateAuthorizer": support(f"{_API} {_AUTHORIZER} providerARNs", "authType authorizerCredentials"),
    "GetAuthorizer": support(f"{_API} authorizerId"),
    "GetAuthorizers": support(f"{_API} {_PAGE}"),
    "UpdateAuthorizer": support(f"{_API} authorizerId patchOperations"),
    "DeleteAuthorizer": support(f"{_API} authorizerId"),
    "TagResource": support("resourceArn tags"),
    "UntagResource": support("resourceArn tagKeys"),
    "GetTags": support("resourceArn", _PAGE),
    "GetAccount": support(),
    "UpdateAccount": support("patchOperations"),
}


def operations(ledger: Ledger, records: Records) -> dict[tuple[str, str], Handler]:
    """The service's part of the operations table; `ledger` is that of REST APIs."""
    apis, resources, methods = RestApis(ledger), Resources(ledger), Methods(ledger)
    return guarded(
        "apigateway",
        TABLE,
        {
            "CreateRestApi": apis.create_rest_api,
            "GetRestApi": apis.get_rest_api,
            "GetRestApis": apis.get_rest_apis,
            "UpdateRestApi": apis.update_rest_api,
            "DeleteRestApi": apis.delete_rest_api,
            "ImportRestApi": apis.import_rest_api,
            "PutRestApi": apis.put_rest_api,
            "GetResources": resources.get_resources,
            "GetResource": resources.get_resource,
            "CreateResource": resources.create_resource,
            "UpdateResource": resources.update_resource,
            "DeleteResource": resources.delete_resource,
            "PutMethod": methods.put_method,
            "GetMethod": methods.get_method,
            "UpdateMethod": methods.update_method,
            "DeleteMethod": methods.delete_method,
            "PutMethodResponse": methods.put_method_response,
            "GetMethodResponse": methods.get_method_response,
            "UpdateMethodResponse": methods.update_method_response,
            "DeleteMethodResponse": methods.delete_method_response,
        }
        | _integrations(Integrations(ledger))
        | _deployed(Deployments(ledger), Stages(ledger))
        | _rest(Authorizers(ledger), Tags(ledger, records)),
    )


def _integrations(integrations: Integrations) -> dict[str, Handler]:
    return {
        "PutIntegration": integrations.put_integration,
        "GetIntegration": integrations.get_integration,
        "UpdateIntegration": integrations.update_integration,
        "DeleteIntegration": integrations.delete_integration,
        "PutIntegrationResponse": integrations.put_integration_response,
        "GetIntegrationResponse": integrations.get_integration_response,
        "UpdateIntegrationResponse": integrations.update_integration_response,
        "DeleteIntegrationResponse": integrations.delete_integration_response,
    }


def _deployed(deployments: Deployments, stages: Stages) -> dict[str, Handler]:
    return {
        "CreateDeployment": deployments.create_deployment,
        "GetDeployment": deployments.get_deployment,
        "GetDeployments": deployments.get_deployments,
        "UpdateDeployment": deployments.update_deployment,
        "DeleteDeployment": deployments.delete_deployment,
        "CreateStage": stages.create_stage,
        "GetStage": stages.get_stage,
        "GetStages": stages.get_stages,
        "UpdateStage": stages.update_stage,
        "DeleteStage": stages.delete_stage,
    }


def _rest(authorizers: Authorizers, tags: Tags) -> dict[str, Handler]:
    return {
        "CreateAuthorizer": authorizers.create_authorizer,
        "GetAuthorizer": authorizers.get_authorizer,
        "GetAuthorizers": authorizers.get_authorizers,
        "UpdateAuthorizer": authorizers.update_authorizer,
        "DeleteAuthorizer": authorizers.delete_authorizer,
        "TagResource": tags.tag_resource,
        "UntagResource": tags.untag_resource,
        "GetTags": tags.get_tags,
        "GetAccount": tags.get_account,
        "UpdateAccount": tags.update_account,
    }
