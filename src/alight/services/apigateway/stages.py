"""Stages of a REST API: a name in the address, a deployment behind it, and variables."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, ConflictException
from alight.services.apigateway.ledger import Edit, Ledger, stage_of
from alight.services.apigateway.methods_rules import refuse
from alight.services.apigateway.patches import Setter, entry, flag, member, patch, unescaped
from alight.services.apigateway.uris import check_variables

Body = dict[str, Any]

_SETTERS: dict[str, Setter] = {
    "/description": member("description"),
    "/deploymentId": member("deploymentId"),
    "/variables/": entry("variables"),
    "/tracingEnabled": flag("tracingEnabled"),
    "/documentationVersion": member("documentationVersion"),
}
#: Logs and metrics go where everything goes here: such settings are recorded, no more.
_ACCESS_LOG = re.compile(r"/accessLogSettings/(?P<name>destinationArn|format)")
_METHOD_SETTING = re.compile(
    r"/(?P<path>[^/]+)/(?P<verb>[^/]+)/(?P<setting>(?:logging|metrics|throttling|caching)/\w+)"
)
_SETTINGS = {
    "logging/dataTrace": "dataTraceEnabled",
    "logging/loglevel": "loggingLevel",
    "metrics/enabled": "metricsEnabled",
}
_REFUSED = ("/canarySettings", "/cacheClusterEnabled", "/cacheClusterSize", "/clientCertificateId", "/webAclArn")


def check_name(name: str) -> None:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name):
        raise BadRequestException("Stage name only allows a-zA-Z0-9_-")


def new_stage(given: Members, now: float) -> Body:
    """A stage as it is kept."""
    if given.get("cacheClusterEnabled"):
        raise refuse("cacheClusterEnabled: answers are not cached")
    check_variables(given.get("variables") or {})
    kept: Body = {"stageName": given["stageName"], "deploymentId": given["deploymentId"]}
    kept |= {
        name: given[name] for name in ("description", "variables", "documentationVersion", "tags") if given.get(name)
    }
    return kept | {
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": bool(given.get("tracingEnabled")),
        "createdDate": now,
        "lastUpdatedDate": now,
    }


def described(stage: Body) -> Members:
    moments = {name: datetime.fromtimestamp(stage[name], UTC) for name in ("createdDate", "lastUpdatedDate")}
    return stage | moments


class Stages:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def create_stage(self, call: Call, given: Members) -> Members:
        check_name(given["stageName"])

        def change(edit: Edit) -> Members:
            if given["stageName"] in edit.body["Stages"]:
                raise ConflictException("Stage already exists")
            _check_deployment(edit.body, given["deploymentId"])
            stage = new_stage(given, edit.now)
            edit.body["Stages"][given["stageName"]] = stage
            return described(stage)

        return await self._apis.change(given["restApiId"], change)

    async def get_stage(self, call: Call, given: Members) -> Members:
        return described(stage_of(self._apis.body(given["restApiId"]), given["stageName"]))

    async def get_stages(self, call: Call, given: Members) -> Members:
        wanted = given.get("deploymentId")
        stages = self._apis.body(given["restApiId"])["Stages"].values()
        return {"item": [described(stage) for stage in stages if wanted in (None, stage["deploymentId"])]}

    async def update_stage(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            stage = stage_of(edit.body, given["stageName"])
            operations = given.get("patchOperations") or []
            patch(stage, [one for one in operations if not _recorded(stage, one)], _SETTERS, _REFUSED)
            _check_deployment(edit.body, stage["deploymentId"])
            check_variables(stage.get("variables") or {})
            stage["lastUpdatedDate"] = edit.now
            return described(stage)

        return await self._apis.change(given["restApiId"], change)

    async def delete_stage(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            stage_of(edit.body, given["stageName"])
            del edit.body["Stages"][given["stageName"]]

        await self._apis.change(given["restApiId"], change)
        return {}


def _recorded(stage: Body, operation: Members) -> bool:
    """Whether an operation is about logs or metrics, which are kept here without effect."""
    path, value = operation.get("path") or "", operation.get("value") or ""
    access = _ACCESS_LOG.fullmatch(path)
    if access:
        stage.setdefault("accessLogSettings", {})[access["name"]] = value
        return True
    match = _METHOD_SETTING.fullmatch(path)
    if match is None:
        return False
    if match["setting"] not in _SETTINGS:
        raise refuse(f"{match['setting'].partition('/')[0]} of methods ({path})")
    settings = stage["methodSettings"].setdefault(f"{unescaped(match['path']).lstrip('/')}/{match['verb']}", {})
    name = _SETTINGS[match["setting"]]
    settings[name] = value if name == "loggingLevel" else value.lower() == "true"
    return True


def _check_deployment(body: Body, deployment_id: str) -> None:
    if deployment_id not in body["Deployments"]:
        raise BadRequestException("Deployment id does not exist")
