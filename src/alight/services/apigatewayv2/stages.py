"""Stages and deployments of an HTTP API."""

from __future__ import annotations

import re
from typing import Any

from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, ConflictException, NotFoundException
from alight.services.apigateway.ledger import Edit, Ledger, stage_of
from alight.services.apigateway.uris import check_variables
from alight.services.apigatewayv2 import rules
from alight.services.apigatewayv2.deploying import deploy, follow, point, with_moments
from alight.services.apigatewayv2.pages import page

Body = dict[str, Any]

_KEPT = ("Description", "StageVariables", "AccessLogSettings", "Tags")


def new_stage(given: Members, now: float) -> Body:
    """A stage as it is kept, before anything was deployed to it."""
    if not re.fullmatch(r"\$default|[a-zA-Z0-9_-]{1,128}", given["StageName"]):
        raise BadRequestException("Stage name only allows a-zA-Z0-9_-, or $default")
    stage = {"StageName": given["StageName"], "CreatedDate": now, "AutoDeploy": False, "LastUpdatedDate": now}
    return _changed(stage | {"StageVariables": {}, "Tags": {}, "DefaultRouteSettings": {}, "RouteSettings": {}}, given)


def _changed(stage: Body, given: Members) -> Body:
    check_variables(given.get("StageVariables") or {})
    kept = stage | {name: given[name] for name in _KEPT if given.get(name) is not None}
    if given.get("AutoDeploy") is not None:
        kept["AutoDeploy"] = given["AutoDeploy"]
    if given.get("DefaultRouteSettings") is not None:
        kept["DefaultRouteSettings"] = rules.stage_settings(given["DefaultRouteSettings"])
    for key, settings in (given.get("RouteSettings") or {}).items():
        kept["RouteSettings"] = kept["RouteSettings"] | {key: rules.stage_settings(settings)}
    return kept


class Stages:
    """The handlers of stages."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def create_stage(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            if given["StageName"] in edit.body["Stages"]:
                raise ConflictException("Stage already exists")
            stage = new_stage(given, edit.now)
            edit.body["Stages"][given["StageName"]] = stage
            return _settled(edit, stage, given)

        return await self._apis.change(given["ApiId"], change)

    async def get_stage(self, call: Call, given: Members) -> Members:
        return with_moments(stage_of(self._apis.body(given["ApiId"]), given["StageName"]))

    async def get_stages(self, call: Call, given: Members) -> Members:
        return page([with_moments(one) for one in self._apis.body(given["ApiId"])["Stages"].values()], given)

    async def update_stage(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            stage = _changed(stage_of(edit.body, given["StageName"]), given) | {"LastUpdatedDate": edit.now}
            edit.body["Stages"][given["StageName"]] = stage
            return _settled(edit, stage, given)

        return await self._apis.change(given["ApiId"], change)

    async def delete_stage(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            stage_of(edit.body, given["StageName"])
            del edit.body["Stages"][given["StageName"]]

        await self._apis.change(given["ApiId"], change)
        return {}


def _settled(edit: Edit, stage: Body, given: Members) -> Members:
    """Give the stage its deployment: its own from now on, or the one that was named."""
    if stage["AutoDeploy"] and given.get("DeploymentId"):
        raise BadRequestException("Deployment ID cannot be set on a stage with AutoDeploy enabled")
    if stage["AutoDeploy"]:
        follow(edit)
    elif given.get("DeploymentId"):
        _deployment(edit.body, given["DeploymentId"])
        point(stage, given["DeploymentId"], edit.now)
    return with_moments(stage)


class Deployments:
    """The handlers of deployments."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def create_deployment(self, call: Call, given: Members) -> Members:
        """With a `StageName`, that stage serves it from now on."""

        def change(edit: Edit) -> Members:
            stage = stage_of(edit.body, given["StageName"]) if given.get("StageName") else None
            if stage is not None and stage["AutoDeploy"]:
                raise BadRequestException(
                    f"Deployment cannot be created for stage {stage['StageName']} because it has AutoDeploy enabled"
                )
            made = deploy(edit, given.get("Description") or "")
            if stage is not None:
                point(stage, made["DeploymentId"], edit.now)
            return with_moments(made)

        return await self._apis.change(given["ApiId"], change)

    async def get_deployment(self, call: Call, given: Members) -> Members:
        return with_moments(_deployment(self._apis.body(given["ApiId"]), given["DeploymentId"]))

    async def get_deployments(self, call: Call, given: Members) -> Members:
        deployments = self._apis.body(given["ApiId"])["Deployments"].values()
        return page([with_moments(one) for one in sorted(deployments, key=lambda one: -one["CreatedDate"])], given)

    async def update_deployment(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            found = _deployment(edit.body, given["DeploymentId"])
            if given.get("Description") is not None:
                found["Description"] = given["Description"]
            return with_moments(found)

        return await self._apis.change(given["ApiId"], change)

    async def delete_deployment(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            found = _deployment(edit.body, given["DeploymentId"])
            if any(stage.get("DeploymentId") == found["DeploymentId"] for stage in edit.body["Stages"].values()):
                raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
            del edit.body["Deployments"][found["DeploymentId"]]
            edit.forget_snapshot(found["DeploymentId"])

        await self._apis.change(given["ApiId"], change)
        return {}


def _deployment(body: Body, deployment_id: str) -> Body:
    found: Body | None = body["Deployments"].get(deployment_id)
    if found is None:
        raise NotFoundException("Invalid Deployment identifier specified")
    return found
