"""Snapshots of HTTP APIs: taken when somebody asks, and after every change for stages that deploy by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alight import names
from alight.calls import Members
from alight.errors.apigateway import BadRequestException
from alight.services.apigateway.ledger import Edit

Body = dict[str, Any]

NO_ROUTE = "At least one route is required before deploying the Api."


def deploy(edit: Edit, description: str = "", by_itself: bool = False) -> Body:
    """Take a snapshot; raises where there is nothing to serve."""
    if not edit.body["Routes"]:
        raise BadRequestException(NO_ROUTE)
    own_id = names.new_short_id(6)
    deployment: Body = {
        "DeploymentId": own_id,
        "CreatedDate": edit.now,
        "DeploymentStatus": "DEPLOYED",
        "AutoDeployed": by_itself,
    }
    if description:
        deployment["Description"] = description
    held = {name: edit.body[name] for name in ("Routes", "Integrations", "Authorizers")}
    edit.snapshot(own_id, held | {"Cors": edit.body["Api"].get("CorsConfiguration")})
    edit.body["Deployments"][own_id] = deployment
    return deployment


def follow(edit: Edit) -> None:
    """After a change: the stages with AutoDeploy get it, and what nobody serves any more of their making goes."""
    following = [stage for stage in edit.body["Stages"].values() if stage.get("AutoDeploy")]
    if not following:
        return
    if edit.body["Routes"]:
        own_id = deploy(edit, "Automatic deployment triggered by changes to the Api configuration", True)[
            "DeploymentId"
        ]
        for stage in following:
            point(stage, own_id, edit.now)
    else:
        for stage in following:
            stage["LastDeploymentStatusMessage"] = f"Deployment attempt failed: {NO_ROUTE}"
    used = {stage.get("DeploymentId") for stage in edit.body["Stages"].values()}
    for old in [one for one in edit.body["Deployments"].values() if one["AutoDeployed"]]:
        if old["DeploymentId"] not in used:
            del edit.body["Deployments"][old["DeploymentId"]]
            edit.forget_snapshot(old["DeploymentId"])


def point(stage: Body, deployment_id: str, now: float) -> None:
    """Serve this deployment at that stage."""
    stage |= {"DeploymentId": deployment_id, "LastUpdatedDate": now}
    if stage.get("AutoDeploy"):
        stage["LastDeploymentStatusMessage"] = f"Successfully deployed stage with deployment ID '{deployment_id}'"


def with_moments(kept: Body) -> Members:
    """Seconds become moments, as answers have them."""
    moments = {name: kept[name] for name in ("CreatedDate", "LastUpdatedDate") if name in kept}
    return kept | {name: datetime.fromtimestamp(value, UTC) for name, value in moments.items()}
