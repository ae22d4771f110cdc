"""Models and endpoint configurations: written down, described, listed, forgotten.

Either may go while an endpoint uses it, as on AWS: an endpoint's own record keeps what it serves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from alight.calls import Call, Members
from alight.endpoints.contract import CannotServe
from alight.errors.sagemaker import ValidationException
from alight.names import REGION
from alight.services.sagemaker import tables
from alight.services.sagemaker.acting import check_url, role_of
from alight.services.sagemaker.capture import check_settings
from alight.services.sagemaker.images import expectation
from alight.services.sagemaker.ledger import CONFIGURATION, MODEL, Ledger, arn, moment
from alight.services.sagemaker.pages import listing, summary

#: (URL of a package, environment of its container, ARN of the role that reads it) -> nothing where it can be served.
#: Raises `CannotServe`.
Inspect = Callable[[str, Mapping[str, str], str], Awaitable[None]]
#: In a model's record: the role that it acts with, where it was given none.
ACTS_AS = "ActsAs"

_MODEL = ("ModelName", "PrimaryContainer", "Containers", "ExecutionRoleArn", "VpcConfig")


class NoModelData(CannotServe):
    """There is no package at the URL, or the role may not read it; its text is AWS's."""

    def __init__(self, url: str, forbidden_to: str = "") -> None:
        text = f"Could not find model data at {url}."
        if forbidden_to:
            text = (
                f'Could not access model data at {url}. Please ensure that the role "{forbidden_to}" exists and that '
                'its trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the '
                f"object is located in {REGION}."
            )
        super().__init__(text)


class Definitions:
    """Handlers of both kinds; each body in the ledger is what was given."""

    def __init__(self, ledger: Ledger, inspect: Inspect) -> None:
        self._ledger = ledger
        self._inspect = inspect

    async def create_model(self, call: Call, given: Members) -> Members:
        tables.check_model(given)
        name = given["ModelName"]
        containers = given.get("Containers") or []
        if len(containers) > 1:
            raise ValidationException("A model of several containers is not supported; give one PrimaryContainer.")
        if not given.get("PrimaryContainer") and not containers:
            raise ValidationException("A PrimaryContainer or Containers must be given.")
        self._ledger.check_new(MODEL, name)
        role = role_of(call, given)
        await self._check_package(call, container_of(given), role)
        await self._ledger.create(MODEL, name, {**given, ACTS_AS: role})
        return {"ModelArn": arn(MODEL, name)}

    async def describe_model(self, call: Call, given: Members) -> Members:
        record = self._ledger.known(MODEL, given["ModelName"])
        return {
            **{member: record.body[member] for member in _MODEL if member in record.body},
            "EnableNetworkIsolation": False,
            "ModelArn": arn(MODEL, record.name),
            "CreationTime": moment(record.created),
        }

    async def list_models(self, call: Call, given: Members) -> Members:
        return listing(self._ledger.all(MODEL), given, "Models", summary(MODEL, "Model"))

    async def delete_model(self, call: Call, given: Members) -> Members:
        await self._ledger.remove(MODEL, given["ModelName"])
        return {}

    async def create_endpoint_config(self, call: Call, given: Members) -> Members:
        tables.check_configuration(given)
        name = given["EndpointConfigName"]
        self._ledger.check_new(CONFIGURATION, name)
        variants = given["ProductionVariants"]
        shadows = given.get("ShadowProductionVariants") or []
        names = [variant["VariantName"] for variant in (*variants, *shadows)]
        if not variants or len(set(names)) != len(names):
            raise ValidationException("ProductionVariants must have one variant at least, each with a name of its own.")
        if shadows and (len(variants), len(shadows)) != (1, 1):
            raise ValidationException("An endpoint with a shadow variant has one production variant and one shadow.")
        alone = bool(shadows or given.get("AsyncInferenceConfig"))
        for variant in (*variants, *shadows):
            self._check_variant(variant, alone)
        if given.get("DataCaptureConfig"):
            check_settings(given["DataCaptureConfig"])
        if given.get("DataCaptureConfig") or given.get("AsyncInferenceConfig"):
            self._check_role(call, given)
        await self._ledger.create(CONFIGURATION, name, given)
        return {"EndpointConfigArn": arn(CONFIGURATION, name)}

    async def describe_endpoint_config(self, call: Call, given: Members) -> Members:
        record = self._ledger.known(CONFIGURATION, given["EndpointConfigName"])
        kept = {member: value for member, value in record.body.items() if member != "Tags"}
        return {**kept, "EndpointConfigArn": arn(CONFIGURATION, record.name), "CreationTime": moment(record.created)}

    async def list_endpoint_configs(self, call: Call, given: Members) -> Members:
        show = summary(CONFIGURATION, "EndpointConfig")
        return listing(self._ledger.all(CONFIGURATION), given, "EndpointConfigs", show)

    async def delete_endpoint_config(self, call: Call, given: Members) -> Members:
        await self._ledger.remove(CONFIGURATION, given["EndpointConfigName"])
        return {}

    async def _check_package(self, call: Call, container: Members, role: str) -> None:
        url = model_data_url(container)
        check_model_data(call, url)
        if is_multi(container):
            check_url(url, "ModelDataUrl")
            return
        try:
            await self._inspect(url, container.get("Environment") or {}, role)
        except NoModelData as missing:
            raise ValidationException(str(missing)) from missing
        except CannotServe as reason:
            text = f"The model data at {url} cannot be served. {reason} {expectation(container.get('Image', ''))}"
            raise ValidationException(text.strip()) from reason

    def _check_role(self, call: Call, given: Members) -> None:
        """What the owner's model may do for the owner, nobody else may direct."""
        model = self._ledger.known(MODEL, given["ProductionVariants"][0]["ModelName"]).body
        if not given.get("ExecutionRoleArn") and not model.get(ACTS_AS) and role_of(call, {}):
            raise ValidationException("ExecutionRoleArn must be given: the model acts for the owner of the account.")

    def _check_variant(self, variant: Members, alone: bool) -> None:
        name = variant["VariantName"]
        if not variant.get("ModelName"):
            raise ValidationException(f"Production variant {name} names no model.")
        model = self._ledger.known(MODEL, variant["ModelName"])
        if alone and is_multi(container_of(model.body)):
            raise ValidationException(f"The many models of {model.name} have no shadows and no asynchronous inference.")
        if variant.get("InitialVariantWeight", 0.0) < 0 or variant.get("InitialInstanceCount", 1) < 1:
            raise ValidationException(
                f"Production variant {name} must have an InitialInstanceCount of 1 at least and no negative weight."
            )


def container_of(model: Members) -> Members:
    """The model's one container, in whichever member it was given."""
    container: Members = model.get("PrimaryContainer") or model["Containers"][0]
    return container


def is_multi(container: Members) -> bool:
    """Whether its URL is the prefix of many packages, of which each request names one."""
    return container.get("Mode") == "MultiModel"


def model_data_url(container: Members) -> str:
    """Where the package is: `ModelDataUrl`, or the S3 object of `ModelDataSource`. Empty where neither is given."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return str(container.get("ModelDataUrl") or source.get("S3Uri") or "")


def check_model_data(call: Call, url: str) -> None:
    """A local path is taken from our own template loader only, never from the wire."""
    if url.startswith("s3://"):
        return
    if url.startswith("file:///") and call.principal.kind == "service":
        return
    if not url:
        raise ValidationException("The container names no model data; give ModelDataUrl. Nothing is loaded from a hub.")
    raise ValidationException(f"ModelDataUrl must be an s3:// URL; given: {url}")
