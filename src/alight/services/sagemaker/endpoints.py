"""Endpoints: created, described, changed, deleted."""

from __future__ import annotations

from alight.calls import Call, Members
from alight.endpoints.server import Endpoints
from alight.errors.sagemaker import ValidationException
from alight.services.sagemaker import tables
from alight.services.sagemaker.asynchronous import Asynchronous
from alight.services.sagemaker.deployment import CARRIED, Deployments
from alight.services.sagemaker.describing import description, summary
from alight.services.sagemaker.ledger import CONFIGURATION, ENDPOINT, Ledger, arn
from alight.services.sagemaker.pages import listing
from alight.store.records import Record

#: Seconds that the answer to DeleteEndpoint waits for requests that are under way; an idle endpoint is gone with it.
FAREWELL = 3.0


class EndpointHandlers:
    """Handlers; what follows from a record in the background is the deployments' work."""

    def __init__(
        self, ledger: Ledger, endpoints: Endpoints, deployments: Deployments, asynchronous: Asynchronous
    ) -> None:
        self._ledger = ledger
        self._asynchronous = asynchronous
        self._endpoints = endpoints
        self._deployments = deployments

    async def create_endpoint(self, call: Call, given: Members) -> Members:
        name = given["EndpointName"]
        self._ledger.check_new(ENDPOINT, name)
        configuration = self._ledger.known(CONFIGURATION, given["EndpointConfigName"])
        body: Members = {
            **given,
            "EndpointStatus": "Creating",
            "FailureReason": "",
            "Variants": [],
            "Wanted": self._deployments.wanted(configuration),
        }
        await self._ledger.create(ENDPOINT, name, body)
        self._deployments.start(name)
        await self._asynchronous.test_topics(name, body["Wanted"]["Role"], body["Wanted"]["AsyncInferenceConfig"])
        return {"EndpointArn": arn(ENDPOINT, name)}

    async def update_endpoint(self, call: Call, given: Members) -> Members:
        record = self._changeable(given["EndpointName"])
        configuration = self._ledger.known(CONFIGURATION, given["EndpointConfigName"])
        if given.get("RetainAllVariantProperties"):
            kinds = given.get("ExcludeRetainedVariantProperties") or []
            excluded = [one["VariantPropertyType"] for one in kinds]
            wanted = self._deployments.retaining(configuration, record, excluded)
        else:
            wanted = self._deployments.wanted(configuration)
        if given.get("DeploymentConfig") or not given.get("RetainDeploymentConfig"):
            return await self._change(record, wanted, DeploymentConfig=given.get("DeploymentConfig"))
        return await self._change(record, wanted)

    async def update_weights_and_capacities(self, call: Call, given: Members) -> Members:
        record = self._changeable(given["EndpointName"])
        parts = {part["name"]: part for part in record.body["Variants"]}
        for desired in given["DesiredWeightsAndCapacities"]:
            tables.check_weights(desired)
            part = parts.get(desired["VariantName"])
            if part is None:
                raise ValidationException(
                    f'The variant name(s) "{desired["VariantName"]}" is/are not present within endpoint configuration '
                    f'"{record.body["EndpointConfigName"]}".'
                )
            part["weight"] = float(desired.get("DesiredWeight", part["weight"]))
            part["instances"] = int(desired.get("DesiredInstanceCount", part["instances"]))
        kept = {member: record.body.get(member) for member in ("EndpointConfigName", "Shadows", "Role", *CARRIED)}
        return await self._change(record, {**kept, "Variants": list(parts.values()), "Keep": True})

    async def delete_endpoint(self, call: Call, given: Members) -> Members:
        record = self._ledger.known(ENDPOINT, given["EndpointName"])

        def deleting(body: Members) -> Members:
            if body["EndpointStatus"] == "Deleting":
                raise _in_progress(record.name)
            return {**body, "EndpointStatus": "Deleting", "Wanted": None}

        await self._ledger.amend(ENDPOINT, record.name, deleting)
        await self._deployments.remove(record.name)
        await self._deployments.wait(record.name, FAREWELL)
        return {}

    async def describe_endpoint(self, call: Call, given: Members) -> Members:
        record = self._ledger.known(ENDPOINT, given["EndpointName"])
        return description(record, self._endpoints.status(record.name))

    async def list_endpoints(self, call: Call, given: Members) -> Members:
        return listing(self._ledger.all(ENDPOINT), given, "Endpoints", summary)

    def _changeable(self, name: str) -> Record:
        record = self._ledger.known(ENDPOINT, name)
        if self._deployments.restoring(name):
            raise _in_progress(name)
        return record

    async def _change(self, record: Record, wanted: Members, **more: object) -> Members:
        def updating(body: Members) -> Members:
            if body["EndpointStatus"] not in ("InService", "Failed"):
                raise _in_progress(record.name)
            return {**body, "EndpointStatus": "Updating", "FailureReason": "", "Wanted": wanted, **more}

        await self._ledger.amend(ENDPOINT, record.name, updating)
        self._deployments.start(record.name)
        await self._asynchronous.test_topics(record.name, wanted["Role"] or "", wanted["AsyncInferenceConfig"])
        return {"EndpointArn": arn(ENDPOINT, record.name)}


def _in_progress(name: str) -> ValidationException:
    return ValidationException(f'Cannot update in-progress endpoint "{arn(ENDPOINT, name)}".')
