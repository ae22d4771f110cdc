"""InvokeEndpoint: from the runtime's members to a replica, and back."""

from __future__ import annotations

from alight.calls import Call, Members
from alight.endpoints.server import Endpoints
from alight.errors.sagemaker import ValidationError
from alight.names import ACCOUNT
from alight.services.sagemaker.deployment import Deployments
from alight.services.sagemaker.ledger import ENDPOINT, Ledger

#: Seconds that a request waits for an endpoint that served before a restart and is coming back.
RETURN_LIMIT = 60.0


class Invoking:
    """The runtime's handlers."""

    def __init__(self, ledger: Ledger, endpoints: Endpoints, deployments: Deployments) -> None:
        self._ledger = ledger
        self._endpoints = endpoints
        self._deployments = deployments

    async def invoke_endpoint(self, call: Call, given: Members) -> Members:
        name = given["EndpointName"]
        if self._deployments.restoring(name):
            await self._deployments.wait(name, RETURN_LIMIT)
        if self._ledger.find(ENDPOINT, name) is None:
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
