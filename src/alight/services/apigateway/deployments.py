"""Deployments of a REST API: a snapshot of everything that is served, taken when it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, NotFoundException
from alight.services.apigateway.ledger import Edit, Ledger
from alight.services.apigateway.methods import check_deployable
from alight.services.apigateway.methods_rules import refuse
from alight.services.apigateway.pages import page
from alight.services.apigateway.patches import member, patch
from alight.services.apigateway.stages import check_name, new_stage

Body = dict[str, Any]

#: What of an API its deployments hold; all else (name, stage variables) counts at once.
_HELD = ("binaryMediaTypes", "minimumCompressionSize")


class Deployments:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def create_deployment(self, call: Call, given: Members) -> Members:
        """With a `stageName`, the stage is made, or moved to the new snapshot."""
        if given.get("cacheClusterEnabled"):
            raise refuse("cacheClusterEnabled: answers are not cached")
        stage_name = given.get("stageName") or ""
        if stage_name:
            check_name(stage_name)
        elif given.get("stageDescription") or given.get("variables") or given.get("tracingEnabled"):
            raise BadRequestException("Stage name is required when stage settings are specified")
        return await self._apis.change(given["restApiId"], lambda edit: _deploy(edit, given, stage_name))

    async def get_deployment(self, call: Call, given: Members) -> Members:
        found = _of(self._apis.body(given["restApiId"]), given["deploymentId"])
        if "apisummary" not in (given.get("embed") or []):
            return described(found)
        snapshot = self._apis.deployed(given["restApiId"], found["id"]) or {"Resources": {}}
        summary = {
            resource["path"]: {
                verb: {"authorizationType": method["authorizationType"], "apiKeyRequired": False}
                for verb, method in resource["Methods"].items()
            }
            for resource in snapshot["Resources"].values()
            if resource["Methods"]
        }
        return described(found) | {"apiSummary": summary}

    async def get_deployments(self, call: Call, given: Members) -> Members:
        deployments = self._apis.body(given["restApiId"])["Deployments"].values()
        newest_first = sorted(deployments, key=lambda one: -one["createdDate"])
        return page([described(one) for one in newest_first], given, 25)

    async def update_deployment(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            found = _of(edit.body, given["deploymentId"])
            patch(found, given.get("patchOperations"), {"/description": member("description")})
            return described(found)

        return await self._apis.change(given["restApiId"], change)

    async def delete_deployment(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            found = _of(edit.body, given["deploymentId"])
            if any(stage["deploymentId"] == found["id"] for stage in edit.body["Stages"].values()):
                raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
            del edit.body["Deployments"][found["id"]]
            edit.forget_snapshot(found["id"])

        await self._apis.change(given["restApiId"], change)
        return {}


def _deploy(edit: Edit, given: Members, stage_name: str) -> Members:
    check_deployable(edit.body)
    own_id = names.new_short_id(6)
    deployment: Body = {"id": own_id, "createdDate": edit.now}
    if given.get("description"):
        deployment["description"] = given["description"]
    edit.body["Deployments"][own_id] = deployment
    held = {name: edit.body["Api"][name] for name in _HELD if name in edit.body["Api"]}
    edit.snapshot(own_id, held | {name: edit.body[name] for name in ("Resources", "Authorizers")})
    if stage_name:
        stages, settings = edit.body["Stages"], given | {"description": given.get("stageDescription")}
        if stage_name in stages:
            stages[stage_name] |= {"deploymentId": own_id, "lastUpdatedDate": edit.now}
            changed = {name: settings[name] for name in ("description", "variables") if settings.get(name)}
            stages[stage_name] |= changed
        else:
            stages[stage_name] = new_stage(settings | {"stageName": stage_name, "deploymentId": own_id}, edit.now)
    return described(deployment)


def _of(body: Body, deployment_id: str) -> Body:
    found: Body | None = body["Deployments"].get(deployment_id)
    if found is None:
        raise NotFoundException("Invalid Deployment identifier specified")
    return found


def described(deployment: Body) -> Members:
    return deployment | {"createdDate": datetime.fromtimestamp(deployment["createdDate"], UTC)}
