"""REST APIs and HTTP APIs, with everything that stands in them."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Neutral, Only, Refused, Table
from alight.stacks.tables.kinds import FLAG, MAPPING, N_TEXT, TAGS, TEXT, TEXTS, WHOLE, N

_NO_KEYS = Only(("false",), "there are no API keys and usage plans here.", neutral=True)
_NO_POOLS = Refused("there are no user pools here; use a Lambda authorizer.")
_NO_CACHE = Refused("answers are not cached.")
_NO_VPC = Refused("there is no VPC here.")
_NO_PACE = Refused("requests are not paced.")
_OWN_ADDRESS = Only(("false",), "the address that API Gateway gives is the only one there is.", neutral=True)
_BODY = {
    "Local": TEXT,
    "Bucket": Refused(
        "put the definition into the template (DefinitionBody) or into a file beside it (DefinitionUri)."
    ),
    "Key": N,
    "Version": N,
    "ETag": N,
}
_LOGS = {"DestinationArn": N, "Format": N}

_REST_API: Table = {
    "Name": TEXT,
    "Description": TEXT,
    "Body": MAPPING,
    "BodyS3Location": _BODY,
    "BinaryMediaTypes": TEXTS,
    "MinimumCompressionSize": WHOLE,
    "Mode": TEXT,
    "FailOnWarnings": FLAG,
    "Parameters": MAPPING,
    "EndpointConfiguration": {
        "Types": [Only(("EDGE", "REGIONAL"), "there is no VPC here, and the API would be open to all.", neutral=True)],
        "IpAddressType": N_TEXT,
        "VpcEndpointIds": _NO_VPC,
    },
    "Tags": TAGS,
    "ApiKeySourceType": N_TEXT,
    "SecurityPolicy": N_TEXT,
    "EndpointAccessMode": N_TEXT,
    "DisableExecuteApiEndpoint": _OWN_ADDRESS,
    "Policy": Refused("resource policies of APIs are not offered: the API would be open to all."),
    "CloneFrom": Refused("is not offered."),
}
_INTEGRATION: Table = {
    "Type": TEXT,
    "IntegrationHttpMethod": TEXT,
    "Uri": TEXT,
    "RequestParameters": MAPPING,
    "RequestTemplates": MAPPING,
    "PassthroughBehavior": TEXT,
    "TimeoutInMillis": WHOLE,
    "ContentHandling": TEXT,
    "ConnectionType": Only(("INTERNET",), "there is no VPC here.", neutral=True),
    "ConnectionId": _NO_VPC,
    "Credentials": N,
    "CacheNamespace": N,
    "CacheKeyParameters": N,
    "IntegrationResponses": [
        {
            "StatusCode": TEXT,
            "ResponseParameters": MAPPING,
            "ResponseTemplates": MAPPING,
            "SelectionPattern": TEXT,
            "ContentHandling": TEXT,
        }
    ],
}
_METHOD: Table = {
    "RestApiId": TEXT,
    "ResourceId": TEXT,
    "HttpMethod": TEXT,
    "AuthorizationType": TEXT,
    "AuthorizerId": TEXT,
    "OperationName": TEXT,
    "Integration": _INTEGRATION,
    "MethodResponses": [{"StatusCode": TEXT, "ResponseParameters": MAPPING, "ResponseModels": MAPPING}],
    "RequestParameters": MAPPING,
    "RequestModels": MAPPING,
    "ApiKeyRequired": _NO_KEYS,
    "RequestValidatorId": Refused("requests are not validated here."),
    "AuthorizationScopes": _NO_POOLS,
}
_REST_STAGE: Table = {
    "RestApiId": TEXT,
    "DeploymentId": TEXT,
    "StageName": TEXT,
    "Description": TEXT,
    "Variables": MAPPING,
    "Tags": TAGS,
    "TracingEnabled": N,
    "AccessLogSetting": _LOGS,
    "DocumentationVersion": N,
    "MethodSettings": [
        {
            "HttpMethod": N,
            "ResourcePath": N,
            "LoggingLevel": N,
            "MetricsEnabled": N,
            "DataTraceEnabled": N,
            "CachingEnabled": Only(("false",), "answers are not cached.", neutral=True),
            "CacheTtlInSeconds": _NO_CACHE,
            "CacheDataEncrypted": _NO_CACHE,
            "ThrottlingBurstLimit": _NO_PACE,
            "ThrottlingRateLimit": _NO_PACE,
        }
    ],
    "CacheClusterEnabled": Only(("false",), "answers are not cached.", neutral=True),
    "CacheClusterSize": _NO_CACHE,
    "CanarySetting": Refused("canaries of stages are not offered."),
    "ClientCertificateId": Refused("client certificates are not offered."),
}
_REST_AUTHORIZER: Table = {
    "RestApiId": TEXT,
    "Name": TEXT,
    "Type": Only(("TOKEN", "REQUEST"), "there are no user pools here; use a Lambda authorizer."),
    "AuthorizerUri": TEXT,
    "IdentitySource": TEXT,
    "IdentityValidationExpression": TEXT,
    "AuthorizerResultTtlInSeconds": WHOLE,
    "AuthorizerCredentials": N,
    "AuthType": N,
    "ProviderARNs": _NO_POOLS,
}

_CORS: Table = {
    "AllowOrigins": TEXTS,
    "AllowMethods": TEXTS,
    "AllowHeaders": TEXTS,
    "ExposeHeaders": TEXTS,
    "AllowCredentials": FLAG,
    "MaxAge": WHOLE,
}
_HTTP_API: Table = {
    "Name": TEXT,
    "ProtocolType": Only(("HTTP",), "WebSocket APIs are not offered."),
    "Body": MAPPING,
    "BodyS3Location": _BODY,
    "BasePath": TEXT,
    "FailOnWarnings": FLAG,
    "CorsConfiguration": _CORS,
    "RouteKey": TEXT,
    "Target": TEXT,
    "RouteSelectionExpression": TEXT,
    "Description": TEXT,
    "Version": N,
    "IpAddressType": N,
    "CredentialsArn": N,
    "Tags": Neutral("mapping"),
    "DisableExecuteApiEndpoint": _OWN_ADDRESS,
    "ApiKeySelectionExpression": Refused("belongs to WebSocket APIs, which are not offered."),
    "DisableSchemaValidation": Refused("belongs to WebSocket APIs, which are not offered."),
}
_ROUTE_SETTINGS: Table = {
    "DetailedMetricsEnabled": N,
    "LoggingLevel": N,
    "DataTraceEnabled": N,
    "ThrottlingBurstLimit": _NO_PACE,
    "ThrottlingRateLimit": _NO_PACE,
}
_HTTP_STAGE: Table = {
    "ApiId": TEXT,
    "StageName": TEXT,
    "AutoDeploy": FLAG,
    "DeploymentId": TEXT,
    "StageVariables": MAPPING,
    "Description": TEXT,
    "Tags": Neutral("mapping"),
    "AccessLogSettings": _LOGS,
    "DefaultRouteSettings": _ROUTE_SETTINGS,
    "RouteSettings": Refused("settings of single routes are not offered."),
    "ClientCertificateId": Refused("belongs to WebSocket APIs, which are not offered."),
}
_HTTP_INTEGRATION: Table = {
    "ApiId": TEXT,
    "IntegrationType": Only(("AWS_PROXY", "HTTP_PROXY"), "functions and HTTP servers are called here."),
    "IntegrationUri": TEXT,
    "IntegrationMethod": TEXT,
    "PayloadFormatVersion": TEXT,
    "TimeoutInMillis": WHOLE,
    "Description": TEXT,
    "CredentialsArn": N,
    "ConnectionType": Only(("INTERNET",), "there is no VPC here.", neutral=True),
    "ConnectionId": _NO_VPC,
    "IntegrationSubtype": Refused("functions and HTTP servers are called here."),
    "RequestParameters": Refused("requests are passed on as they are."),
    "ResponseParameters": Refused("answers are passed on as they are."),
    "TlsConfig": Refused("certificates are always verified."),
    "RequestTemplates": Refused("belongs to WebSocket APIs, which are not offered."),
    "TemplateSelectionExpression": Refused("belongs to WebSocket APIs, which are not offered."),
    "PassthroughBehavior": Refused("belongs to WebSocket APIs, which are not offered."),
    "ContentHandlingStrategy": Refused("belongs to WebSocket APIs, which are not offered."),
}
_ROUTE: Table = {
    "ApiId": TEXT,
    "RouteKey": TEXT,
    "Target": TEXT,
    "AuthorizationType": Only(("NONE", "AWS_IAM", "CUSTOM"), "use a Lambda authorizer (CUSTOM)."),
    "AuthorizerId": TEXT,
    "OperationName": TEXT,
    "ApiKeyRequired": _NO_KEYS,
    "AuthorizationScopes": Refused("there are no JWT authorizers here."),
    "RequestModels": Refused("belongs to WebSocket APIs, which are not offered."),
    "RequestParameters": Refused("belongs to WebSocket APIs, which are not offered."),
    "ModelSelectionExpression": Refused("belongs to WebSocket APIs, which are not offered."),
    "RouteResponseSelectionExpression": Refused("belongs to WebSocket APIs, which are not offered."),
}
_HTTP_AUTHORIZER: Table = {
    "ApiId": TEXT,
    "Name": TEXT,
    "AuthorizerType": Only(("REQUEST",), "use a Lambda authorizer (REQUEST)."),
    "AuthorizerUri": TEXT,
    "AuthorizerPayloadFormatVersion": TEXT,
    "AuthorizerResultTtlInSeconds": WHOLE,
    "EnableSimpleResponses": FLAG,
    "IdentitySource": TEXTS,
    "AuthorizerCredentialsArn": N,
    "IdentityValidationExpression": Refused("is not offered for HTTP APIs."),
    "JwtConfiguration": Refused("use a Lambda authorizer (REQUEST)."),
}

TABLES: Mapping[str, Table] = {
    "AWS::ApiGateway::Account": {"CloudWatchRoleArn": N},
    "AWS::ApiGateway::Authorizer": _REST_AUTHORIZER,
    "AWS::ApiGateway::Deployment": {
        "RestApiId": TEXT,
        "StageName": TEXT,
        "Description": TEXT,
        "StageDescription": {"Description": TEXT, "Variables": MAPPING},
        "DeploymentCanarySettings": Refused("canaries of stages are not offered."),
    },
    "AWS::ApiGateway::Method": _METHOD,
    "AWS::ApiGateway::Resource": {"RestApiId": TEXT, "ParentId": TEXT, "PathPart": TEXT},
    "AWS::ApiGateway::RestApi": _REST_API,
    "AWS::ApiGateway::Stage": _REST_STAGE,
    "AWS::ApiGatewayV2::Api": _HTTP_API,
    "AWS::ApiGatewayV2::Authorizer": _HTTP_AUTHORIZER,
    "AWS::ApiGatewayV2::Deployment": {"ApiId": TEXT, "StageName": TEXT, "Description": TEXT},
    "AWS::ApiGatewayV2::Integration": _HTTP_INTEGRATION,
    "AWS::ApiGatewayV2::Route": _ROUTE,
    "AWS::ApiGatewayV2::Stage": _HTTP_STAGE,
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Authorizer": ("RestApiId", "Name", "Type"),
    "AWS::ApiGateway::Deployment": ("RestApiId",),
    "AWS::ApiGateway::Method": ("RestApiId", "ResourceId", "HttpMethod", "Integration.Type"),
    "AWS::ApiGateway::Resource": ("RestApiId", "ParentId", "PathPart"),
    "AWS::ApiGateway::Stage": ("RestApiId", "DeploymentId", "StageName"),
    "AWS::ApiGatewayV2::Authorizer": ("ApiId", "Name", "AuthorizerType"),
    "AWS::ApiGatewayV2::Deployment": ("ApiId",),
    "AWS::ApiGatewayV2::Integration": ("ApiId", "IntegrationType"),
    "AWS::ApiGatewayV2::Route": ("ApiId", "RouteKey"),
    "AWS::ApiGatewayV2::Stage": ("ApiId", "StageName"),
}
