"""AWS::SageMaker::Model, ::EndpointConfig and ::Endpoint.

Models and configurations never change: another archive is another model, so the endpoint moves over to a new
configuration without a gap, and the old ones are removed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alight import names
from alight.calls import Members
from alight.errors import AlightError, Fault
from alight.stacks.provider import ALL, Named, Naming, Provider, Work, is_absence
from alight.stacks.resolve import Later
from alight.stacks.resources.values import given, tag_list

#: Seconds between two looks at an endpoint that is being created, and until it is given up.
PAUSE = 0.1
PATIENCE = 900.0
_CONFIG = (
    "ProductionVariants",
    "ShadowProductionVariants",
    "DataCaptureConfig",
    "AsyncInferenceConfig",
    "KmsKeyId",
    "ExecutionRoleArn",
    "VpcConfig",
)
_UNDER_WAY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


def _local_archive(work: Work) -> Path | None:
    """The model's archive where it lies beside the template."""
    url = (work.properties.get("PrimaryContainer") or {}).get("ModelDataUrl") or ""
    # What another resource's creation will tell is an address.
    return work.path(url) if url and not isinstance(url, Later) and "://" not in str(url) else None


def _contents(work: Work) -> Mapping[str, Path]:
    archive = _local_archive(work)
    return {"PrimaryContainer.ModelDataUrl": archive} if archive else {}


async def _create_model(work: Work) -> None:
    container = dict(work.properties.get("PrimaryContainer") or {})
    archive = _local_archive(work)
    if archive is not None:
        if not archive.exists():
            raise AlightError(f"There is no model at {archive}.", "Make it, or correct ModelDataUrl.")
        container["ModelDataUrl"] = archive.as_uri()
    members: Members = {"PrimaryContainer": container} if container else {}
    members |= given(work.properties, "ExecutionRoleArn", "VpcConfig") | tag_list(work.properties)
    await work.call("sagemaker", "CreateModel", ModelName=work.name, **members)


async def _delete_model(work: Work) -> None:
    await work.quietly("sagemaker", "DeleteModel", ModelName=work.name)


def _model(one: Named) -> Members:
    return {"Ref": str(names.Arn("sagemaker", f"model/{one.name.lower()}")), "ModelName": one.name}


async def _create_config(work: Work) -> None:
    members = given(work.properties, *_CONFIG) | tag_list(work.properties)
    await work.call("sagemaker", "CreateEndpointConfig", EndpointConfigName=work.name, **members)


async def _delete_config(work: Work) -> None:
    await work.quietly("sagemaker", "DeleteEndpointConfig", EndpointConfigName=work.name)


def _config(one: Named) -> Members:
    arn = str(names.Arn("sagemaker", f"endpoint-config/{one.name.lower()}"))
    return {"Ref": arn, "EndpointConfigName": one.name}


async def _create_endpoint(work: Work) -> None:
    members = given(work.properties, "EndpointConfigName", "DeploymentConfig") | tag_list(work.properties)
    await work.call("sagemaker", "CreateEndpoint", EndpointName=work.name, **members)


async def _update_endpoint(work: Work) -> None:
    # A change that was cut off may still be under way; only then can the next begin.
    await _deployed(work)
    members = given(work.properties, "EndpointConfigName", "DeploymentConfig", "RetainAllVariantProperties")
    members |= given(work.properties, "ExcludeRetainedVariantProperties")
    await work.call("sagemaker", "UpdateEndpoint", EndpointName=work.name, **members)


async def _delete_endpoint(work: Work) -> None:
    """Return when its name is free again: what it was asked before is answered first."""
    await work.quietly("sagemaker", "DeleteEndpoint", EndpointName=work.name)
    try:
        await _deployed(work)
    except Fault as fault:
        if not is_absence(fault):
            raise


async def _deployed(work: Work) -> Members:
    """The endpoint's description once nothing is under way any more."""
    clock = work.around.clock
    end = clock.monotonic() + PATIENCE
    while True:
        told = await work.call("sagemaker", "DescribeEndpoint", EndpointName=work.name)
        if told["EndpointStatus"] not in _UNDER_WAY:
            return told
        if clock.monotonic() > end:
            raise AlightError(f"The endpoint {work.name} is still {told['EndpointStatus']} after {PATIENCE:.0f} s.")
        await clock.sleep(PAUSE)


async def _in_service(work: Work) -> None:
    """Return when the endpoint answers. Raises `AlightError` with its own reason where it failed."""
    told = await _deployed(work)
    if told["EndpointStatus"] != "InService":
        reason = told.get("FailureReason") or f"its status is {told['EndpointStatus']}"
        raise AlightError(f"The endpoint {work.name} does not come into service: {reason}")


def _endpoint(one: Named) -> Members:
    return {"Ref": names.endpoint_arn(one.name), "EndpointName": one.name}


PROVIDERS = (
    Provider(
        type="AWS::SageMaker::Model",
        naming=Naming("ModelName", 63),
        create=_create_model,
        delete=_delete_model,
        attributes=_model,
        replaced_by=ALL,
        contents=_contents,
        needs=(("sagemaker", "CreateModel"), ("sagemaker", "DeleteModel")),
    ),
    Provider(
        type="AWS::SageMaker::EndpointConfig",
        naming=Naming("EndpointConfigName", 63),
        create=_create_config,
        delete=_delete_config,
        attributes=_config,
        replaced_by=ALL,
        needs=(("sagemaker", "CreateEndpointConfig"), ("sagemaker", "DeleteEndpointConfig")),
    ),
    Provider(
        type="AWS::SageMaker::Endpoint",
        naming=Naming("EndpointName", 63),
        create=_create_endpoint,
        update=_update_endpoint,
        delete=_delete_endpoint,
        attributes=_endpoint,
        replaced_by=frozenset({"EndpointName"}),
        settle=_in_service,
        needs=(("sagemaker", "CreateEndpoint"), ("sagemaker", "DescribeEndpoint"), ("sagemaker", "DeleteEndpoint")),
    ),
)
