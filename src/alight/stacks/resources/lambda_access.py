"""What stands around a function: ::Permission, ::EventInvokeConfig, ::EventSourceMapping, ::Version, ::Alias."""

from __future__ import annotations

from alight import names
from alight.calls import Members
from alight.errors import AlightError
from alight.stacks.provider import ALL, Named, Naming, Provider, Work
from alight.stacks.resources.values import given, tag_map


async def _permit(work: Work) -> None:
    members = given(work.properties, "FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
    members |= given(work.properties, "FunctionUrlAuthType", "InvokedViaFunctionUrl")
    await work.call("lambda", "AddPermission", StatementId=work.name, **members)


async def _forbid(work: Work) -> None:
    members = {"FunctionName": work.properties["FunctionName"], "StatementId": work.name}
    await work.quietly("lambda", "RemovePermission", **members)


_LIMITS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")


async def _put_invoke_config(work: Work) -> None:
    members = given(work.properties, "FunctionName", "Qualifier", *_LIMITS, "DestinationConfig")
    await work.call("lambda", "PutFunctionEventInvokeConfig", **members)


async def _delete_invoke_config(work: Work) -> None:
    await work.quietly(
        "lambda", "DeleteFunctionEventInvokeConfig", **given(work.properties, "FunctionName", "Qualifier")
    )


_MAPPED = (
    "FunctionName",
    "Enabled",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FilterCriteria",
    "FunctionResponseTypes",
    "ScalingConfig",
)


#: What a property that left the template goes back to.
_MAPPED_DEFAULTS: Members = {
    "Enabled": True,
    "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0,
    "FilterCriteria": {},
    "FunctionResponseTypes": [],
    "ScalingConfig": {},
}


def _mapping(properties: Members) -> Members:
    return given(properties, *_MAPPED)


async def _create_mapping(work: Work) -> Members:
    members = given(work.properties, "EventSourceArn") | _mapping(work.properties) | tag_map(work.properties)
    made = await work.call("lambda", "CreateEventSourceMapping", **members)
    return {"Ref": made["UUID"], "Id": made["UUID"]}


async def _update_mapping(work: Work) -> None:
    wanted, before = _mapping(work.properties), _mapping(work.before)
    members = {name: _MAPPED_DEFAULTS[name] for name in before.keys() - wanted.keys()} | wanted
    await work.call("lambda", "UpdateEventSourceMapping", UUID=work.known["Ref"], **members)


async def _delete_mapping(work: Work) -> None:
    if "Ref" in work.known:
        await work.quietly("lambda", "DeleteEventSourceMapping", UUID=work.known["Ref"])


async def _publish_version(work: Work) -> Members:
    return _version(await _published(work))


async def _update_version(work: Work) -> Members:
    """Another version in the place of the one that was there. Where the function has not changed it is that same one,
    which cannot be described anew: a version never changes."""
    made = await _published(work)
    wanted, version = work.properties.get("Description"), str(made["Version"])
    if version == work.known.get("Version") and wanted is not None and wanted != made.get("Description", ""):
        raise AlightError(
            f"A version for this Lambda function exists ( {version} ).", "Modify the function to create a new version."
        )
    return _version(made)


async def _published(work: Work) -> Members:
    members = given(work.properties, "FunctionName", "Description", "CodeSha256")
    return await work.call("lambda", "PublishVersion", **members)


def _version(made: Members) -> Members:
    version = str(made["Version"])
    arn = f"{str(made['FunctionArn']).removesuffix(':' + version)}:{version}"
    return {"Ref": arn, "FunctionArn": arn, "Version": version}


async def _delete_version(work: Work) -> None:
    if "Version" in work.known:
        members = given(work.properties, "FunctionName") | {"Qualifier": work.known["Version"]}
        await work.quietly("lambda", "DeleteFunction", **members)


def _led(properties: Members) -> Members:
    """An alias' members; a description or weights that the template no longer gives are gone."""
    weighted = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    weights = {str(one["FunctionVersion"]): float(one["FunctionWeight"]) for one in weighted}
    return given(properties, "FunctionName", "FunctionVersion", "Name") | {
        "Description": properties.get("Description", ""),
        "RoutingConfig": {"AdditionalVersionWeights": weights},
    }


async def _create_alias(work: Work) -> None:
    await work.call("lambda", "CreateAlias", **_led(work.properties))


async def _update_alias(work: Work) -> None:
    await work.call("lambda", "UpdateAlias", **_led(work.properties))


async def _delete_alias(work: Work) -> None:
    await work.quietly("lambda", "DeleteAlias", **given(work.properties, "FunctionName", "Name"))


def _alias(one: Named) -> Members:
    function = str(one.properties.get("FunctionName", "")).rpartition(":function:")[2]
    arn = names.function_arn(function, one.name)
    return {"Ref": arn, "AliasArn": arn}


PROVIDERS = (
    Provider(
        type="AWS::Lambda::Permission",
        naming=Naming(limit=100),
        create=_permit,
        delete=_forbid,
        attributes=lambda one: {"Ref": one.name, "Id": one.name},
        replaced_by=ALL,
        needs=(("lambda", "AddPermission"), ("lambda", "RemovePermission")),
    ),
    Provider(
        type="AWS::Lambda::EventInvokeConfig",
        naming=Naming(),
        create=_put_invoke_config,
        update=_put_invoke_config,
        delete=_delete_invoke_config,
        attributes=lambda one: {"Ref": one.name},
        replaced_by=frozenset({"FunctionName", "Qualifier"}),
        needs=(("lambda", "PutFunctionEventInvokeConfig"),),
    ),
    Provider(
        type="AWS::Lambda::EventSourceMapping",
        naming=Naming(),
        create=_create_mapping,
        update=_update_mapping,
        delete=_delete_mapping,
        attributes=lambda one: {},
        replaced_by=frozenset({"EventSourceArn"}),
        late=frozenset({"Ref", "Id"}),
        needs=(("lambda", "CreateEventSourceMapping"), ("lambda", "DeleteEventSourceMapping")),
    ),
    Provider(
        type="AWS::Lambda::Version",
        naming=Naming(),
        create=_publish_version,
        update=_update_version,
        delete=_delete_version,
        attributes=lambda one: {},
        replaced_by=frozenset({"FunctionName"}),
        late=frozenset({"Ref", "Version", "FunctionArn"}),
        needs=(("lambda", "PublishVersion"),),
    ),
    Provider(
        type="AWS::Lambda::Alias",
        naming=Naming("Name", 128),
        create=_create_alias,
        update=_update_alias,
        delete=_delete_alias,
        attributes=_alias,
        replaced_by=frozenset({"Name", "FunctionName"}),
        needs=(("lambda", "CreateAlias"), ("lambda", "UpdateAlias")),
    ),
)
