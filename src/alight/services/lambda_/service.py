"""The operations of Lambda that Alight serves, and what each of their members means here."""

from __future__ import annotations

from alight.calls import Handler
from alight.services.lambda_.account import Account
from alight.services.lambda_.aliases import Aliases
from alight.services.lambda_.behaviour import Behaviour
from alight.services.lambda_.functions import Functions
from alight.services.lambda_.invocations import Invocations
from alight.services.lambda_.layers import Layers
from alight.services.lambda_.mappings import Mappings
from alight.services.lambda_.permissions import Permissions
from alight.services.lambda_.tags import Tags
from alight.services.lambda_.urls import Urls
from alight.services.lambda_.versions import Versions
from alight.services.members import Table, guarded, support

_CONFIGURATION = (
    "FunctionName Role Handler Runtime Description Timeout MemorySize Environment LoggingConfig DeadLetterConfig "
    "Layers AlightPublish"
)
_NEUTRAL = "TracingConfig Architectures EphemeralStorage PackageType SnapStart"
_STATEMENT = (
    "FunctionName StatementId Action Principal SourceArn SourceAccount Qualifier RevisionId "
    "FunctionUrlAuthType InvokedViaFunctionUrl"
)
_EVENT_INVOKE = "FunctionName Qualifier MaximumRetryAttempts MaximumEventAgeInSeconds DestinationConfig"
_LAYERS = "CompatibleRuntime CompatibleArchitecture Marker MaxItems"
_ALIAS = "FunctionName Name FunctionVersion Description RoutingConfig"
_MAPPING = (
    "FunctionName Enabled BatchSize MaximumBatchingWindowInSeconds FilterCriteria FunctionResponseTypes ScalingConfig"
)
_URL = "FunctionName Qualifier AuthType Cors InvokeMode"

TABLE: Table = {
    "CreateFunction": support(f"{_CONFIGURATION} Code Tags Publish", _NEUTRAL),
    "UpdateFunctionCode": support(
        "FunctionName ZipFile S3Bucket S3Key S3ObjectVersion DryRun RevisionId Local Publish", "Architectures"
    ),
    "UpdateFunctionConfiguration": support(f"{_CONFIGURATION} RevisionId", _NEUTRAL),
    "GetFunction": support("FunctionName Qualifier"),
    "GetFunctionConfiguration": support("FunctionName Qualifier"),
    "ListFunctions": support("FunctionVersion Marker MaxItems", "MasterRegion"),
    "DeleteFunction": support("FunctionName Qualifier"),
    "Invoke": support("FunctionName InvocationType LogType ClientContext Payload Qualifier"),
    "AddPermission": support(_STATEMENT),
    "RemovePermission": support("FunctionName StatementId Qualifier RevisionId"),
    "GetPolicy": support("FunctionName Qualifier"),
    "PutFunctionEventInvokeConfig": support(_EVENT_INVOKE),
    "UpdateFunctionEventInvokeConfig": support(_EVENT_INVOKE),
    "GetFunctionEventInvokeConfig": support("FunctionName Qualifier"),
    "ListFunctionEventInvokeConfigs": support("FunctionName Marker MaxItems"),
    "DeleteFunctionEventInvokeConfig": support("FunctionName Qualifier"),
    "PublishVersion": support("FunctionName CodeSha256 Description RevisionId"),
    "ListVersionsByFunction": support("FunctionName Marker MaxItems"),
    "CreateAlias": support(_ALIAS),
    "UpdateAlias": support(f"{_ALIAS} RevisionId"),
    "GetAlias": support("FunctionName Name"),
    "ListAliases": support("FunctionName FunctionVersion Marker MaxItems"),
    "DeleteAlias": support("FunctionName Name"),
    "PublishLayerVersion": support(
        "LayerName Content Description CompatibleRuntimes CompatibleArchitectures", "LicenseInfo"
    ),
    "GetLayerVersion": support("LayerName VersionNumber"),
    "GetLayerVersionByArn": support("Arn"),
    "ListLayers": support(_LAYERS),
    "ListLayerVersions": support(f"LayerName {_LAYERS}"),
    "DeleteLayerVersion": support("LayerName VersionNumber"),
    "CreateEventSourceMapping": support(f"{_MAPPING} EventSourceArn Tags"),
    "GetEventSourceMapping": support("UUID"),
    "ListEventSourceMappings": support("EventSourceArn FunctionName Marker MaxItems"),
    "UpdateEventSourceMapping": support(f"{_MAPPING} UUID"),
    "DeleteEventSourceMapping": support("UUID"),
    "TagResource": support("Resource Tags"),
    "UntagResource": support("Resource TagKeys"),
    "ListTags": support("Resource"),
    "GetAccountSettings": support(),
    "CreateFunctionUrlConfig": support(_URL),
    "GetFunctionUrlConfig": support("FunctionName Qualifier"),
    "ListFunctionUrlConfigs": support("FunctionName Marker MaxItems"),
    "UpdateFunctionUrlConfig": support(_URL),
    "DeleteFunctionUrlConfig": support("FunctionName Qualifier"),
    "PutFunctionConcurrency": support("FunctionName ReservedConcurrentExecutions"),
    "GetFunctionConcurrency": support("FunctionName"),
    "DeleteFunctionConcurrency": support("FunctionName"),
    "PutFunctionRecursionConfig": support("FunctionName RecursiveLoop"),
    "GetFunctionRecursionConfig": support("FunctionName"),
}


def operations(
    functions: Functions,
    invocations: Invocations,
    permissions: Permissions,
    behaviour: Behaviour,
    versions: Versions,
    aliases: Aliases,
    layers: Layers,
    tags: Tags,
    account: Account,
    mappings: Mappings,
    urls: Urls,
) -> dict[tuple[str, str], Handler]:
    """The service's part of the operations table."""
    return guarded(
        "lambda",
        TABLE,
        {
            "CreateFunction": functions.create_function,
            "UpdateFunctionCode": functions.update_function_code,
            "UpdateFunctionConfiguration": functions.update_function_configuration,
            "GetFunction": functions.get_function,
            "GetFunctionConfiguration": functions.get_function_configuration,
            "ListFunctions": functions.list_functions,
            "DeleteFunction": functions.delete_function,
            "Invoke": invocations.invoke,
            "AddPermission": permissions.add_permission,
            "RemovePermission": permissions.remove_permission,
            "GetPolicy": permissions.get_policy,
            "PutFunctionEventInvokeConfig": behaviour.put_function_event_invoke_config,
            "UpdateFunctionEventInvokeConfig": behaviour.update_function_event_invoke_config,
            "GetFunctionEventInvokeConfig": behaviour.get_function_event_invoke_config,
            "ListFunctionEventInvokeConfigs": behaviour.list_function_event_invoke_configs,
            "DeleteFunctionEventInvokeConfig": behaviour.delete_function_event_invoke_config,
            "PublishVersion": versions.publish_version,
            "ListVersionsByFunction": versions.list_versions_by_function,
            "CreateAlias": aliases.create_alias,
            "UpdateAlias": aliases.update_alias,
            "GetAlias": aliases.get_alias,
            "ListAliases": aliases.list_aliases,
            "DeleteAlias": aliases.delete_alias,
            "PublishLayerVersion": layers.publish_layer_version,
            "GetLayerVersion": layers.get_layer_version,
            "GetLayerVersionByArn": layers.get_layer_version_by_arn,
            "ListLayers": layers.list_layers,
            "ListLayerVersions": layers.list_layer_versions,
            "DeleteLayerVersion": layers.delete_layer_version,
            "TagResource": tags.tag_resource,
            "UntagResource": tags.untag_resource,
            "ListTags": tags.list_tags,
            "GetAccountSettings": account.get_account_settings,
            **_wakers(mappings, urls),
            "PutFunctionConcurrency": behaviour.put_function_concurrency,
            "GetFunctionConcurrency": behaviour.get_function_concurrency,
            "DeleteFunctionConcurrency": behaviour.delete_function_concurrency,
            "PutFunctionRecursionConfig": behaviour.put_function_recursion_config,
            "GetFunctionRecursionConfig": behaviour.get_function_recursion_config,
        },
    )


def _wakers(mappings: Mappings, urls: Urls) -> dict[str, Handler]:
    """What else makes functions run: queues, and addresses of their own."""
    return {
        "CreateEventSourceMapping": mappings.create_event_source_mapping,
        "GetEventSourceMapping": mappings.get_event_source_mapping,
        "ListEventSourceMappings": mappings.list_event_source_mappings,
        "UpdateEventSourceMapping": mappings.update_event_source_mapping,
        "DeleteEventSourceMapping": mappings.delete_event_source_mapping,
        "CreateFunctionUrlConfig": urls.create_function_url_config,
        "GetFunctionUrlConfig": urls.get_function_url_config,
        "ListFunctionUrlConfigs": urls.list_function_url_configs,
        "UpdateFunctionUrlConfig": urls.update_function_url_config,
        "DeleteFunctionUrlConfig": urls.delete_function_url_config,
    }
