"""Endpoints: created, described, changed, deleted; and asked."""

from __future__ import annotations

from alight.calls import Call, Members
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import VariantStatus
from alight.errors.common import NotImplemented_
from alight.errors.sagemaker import ValidationError, ValidationException
from alight.names import ACCOUNT
from alight.services.sagemaker.definitions import (
    ALL,
    CONFIGURATION,
    ENDPOINT,
    arn,
    check_new,
    known,
    listing,
    moment,
)
from alight.services.sagemaker.deployment import Deployments
from alight.store.records import Record, Records

#: Seconds that a request waits for an endpoint that served before a restart and is coming back.
RETURN_LIMIT = 60.0


class EndpointHandlers:
    """Handlers of both services; see the package for who does what."""

    def __init__(self, records: Records, endpoints: Endpoints, deployments: Deployments) -> None:
        self._records = records
        self._endpoints = endpoints
        self._deployments = deployments

    async def create_endpoint(self, call: Call, given: Members) -> Members:
        name = given["EndpointName"]
        check_new(self._records, ENDPOINT, name, "endpointName")
        configuration = known(self._records, CONFIGURATION, given["EndpointConfigName"])
        body: Members = {
            **given,
            "EndpointStatus": "Creating",
            "FailureReason": "",
            "Variants": [],
            "Wanted": self._deployments.wanted(configuration),
        }
        await self._records.save(ENDPOINT, name, body)
        self._deployments.start(name)
        return {"EndpointArn": arn(ENDPOINT, name)}

    async def update_endpoint(self, call: Call, given: Members) -> Members:
        if given.get("RetainAllVariantProperties"):
            raise NotImplemented_("Alight does not support RetainAllVariantProperties of sagemaker UpdateEndpoint.")
        record = known(self._records, ENDPOINT, given["EndpointName"])
        if self._deployments.under_way(record.name):
            raise ValidationException(f'Cannot update in-progress endpoint "{arn(ENDPOINT, record.name)}".')
        configuration = known(self._records, CONFIGURATION, given["EndpointConfigName"])
        changes: Members = {
            "EndpointStatus": "Updating",
            "FailureReason": "",
            "Wanted": self._deployments.wanted(configuration),
        }
        await self._records.save(ENDPOINT, record.name, {**record.body, **changes})
        self._deployments.start(record.name)
        return {"EndpointArn": arn(ENDPOINT, record.name)}

    async def delete_endpoint(self, call: Call, given: Members) -> Members:
        record = known(self._records, ENDPOINT, given["EndpointName"])
        await self._records.remove(ENDPOINT, record.name)
        await self._deployments.remove(record.name)
        return {}

    async def describe_endpoint(self, call: Call, given: Members) -> Members:
        record = known(self._records, ENDPOINT, given["EndpointName"])
        described: Members = {
            **_summary(record),
            "EndpointConfigName": record.body["EndpointConfigName"],
        }
        if variants := self._variants(record):
            described["ProductionVariants"] = variants
        if record.body.get("DeploymentConfig"):
            described["LastDeploymentConfig"] = record.body["DeploymentConfig"]
        if record.body["FailureReason"]:
            described["FailureReason"] = record.body["FailureReason"]
        return described

    async def list_endpoints(self, call: Call, given: Members) -> Members:
        wanted = given.get("StatusEquals")
        records = [
            record
            for record in self._records.list(ENDPOINT, limit=ALL)
            if wanted in (None, record.body["EndpointStatus"])
        ]
        return listing(records, given, "Endpoints", _summary)

    async def invoke_endpoint(self, call: Call, given: Members) -> Members:
        name = given["EndpointName"]
        if self._deployments.restoring(name):
            await self._deployments.wait(name, RETURN_LIMIT)
        if self._records.get(ENDPOINT, name) is None:
            raise ValidationError(f"Endpoint {name} of account {ACCOUNT} not found.")
        answer = await self._endpoints.invoke(
            name,
            given.get("Body") or b"",
            content_type=given.get("ContentType"),
            accept=given.get("Accept"),
            custom_attributes=given.get("CustomAttributes") or "",
            request_id=call.request_id,
            target_variant=given.get("TargetVariant") or "",
        )
        reply: Members = {
            "Body": answer.body,
            "ContentType": answer.content_type,
            "InvokedProductionVariant": answer.variant,
        }
        return {**reply, "CustomAttributes": answer.custom_attributes} if answer.custom_attributes else reply

    def _variants(self, record: Record) -> list[Members]:
        status = self._endpoints.status(record.name)
        running = {variant.name: variant for variant in status.variants} if status else {}
        parts = record.body["Variants"] or (record.body["Wanted"] or {}).get("Variants", [])
        return [_variant(part, running.get(part["name"]), record) for part in parts]


def _variant(part: Members, running: VariantStatus | None, record: Record) -> Members:
    image = {"SpecifiedImage": part["image"], "ResolvedImage": part["image"], "ResolutionTime": moment(record.created)}
    shown: Members = {
        "VariantName": part["name"],
        "DeployedImages": [image] if part["image"] else [],
        "CurrentWeight": running.weight if running else part["weight"],
        "DesiredWeight": part["weight"],
        "CurrentInstanceCount": part["instances"] if running else 0,
        "DesiredInstanceCount": part["instances"],
    }
    return shown


def _summary(record: Record) -> Members:
    return {
        "EndpointName": record.name,
        "EndpointArn": arn(ENDPOINT, record.name),
        "EndpointStatus": record.body["EndpointStatus"],
        "CreationTime": moment(record.created),
        "LastModifiedTime": moment(record.modified),
    }
