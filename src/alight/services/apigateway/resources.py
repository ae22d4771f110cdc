"""Resources of a REST API: a tree of path parts under the root."""

from __future__ import annotations

import re
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, ConflictException, NotFoundException
from alight.services.apigateway.ledger import Edit, Ledger
from alight.services.apigateway.pages import page

Body = dict[str, Any]

_PART = re.compile(r"[a-zA-Z0-9._\-:%,+*!$&'()@;=~]+|\{[a-zA-Z0-9._\-]+\+?\}")


def resource_of(body: Body, resource_id: str) -> Body:
    found: Body | None = body["Resources"].get(resource_id)
    if found is None:
        raise NotFoundException("Invalid Resource identifier specified")
    return found


def child_path(parent: Body, part: str) -> str:
    return f"{parent['path'].rstrip('/')}/{part}"


def add_resource(body: Body, parent_id: str, part: str, new_id: str = "") -> Body:
    """Put a resource into the tree; its id is made here unless one is given."""
    parent = resource_of(body, parent_id)
    check_place(body, parent, part, "")
    resource = {
        "id": new_id or names.new_short_id(6),
        "parentId": parent_id,
        "pathPart": part,
        "path": child_path(parent, part),
        "Methods": {},
    }
    body["Resources"][resource["id"]] = resource
    return resource


def check_place(body: Body, parent: Body, part: str, own_id: str) -> None:
    """Raises what AWS says where `part` cannot stand below `parent`."""
    if not _PART.fullmatch(part):
        raise BadRequestException(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
            "beginning and the end."
        )
    if parent.get("pathPart", "").endswith("+}"):
        raise BadRequestException(
            f"Cannot create a child of a resource with a greedy path variable: {parent['pathPart']}"
        )
    for other in body["Resources"].values():
        if other["id"] == own_id or other.get("parentId") != parent["id"]:
            continue
        if other["pathPart"] == part:
            raise ConflictException(f"Another resource with the same parent already has this name: {part}")
        if part.startswith("{") and other["pathPart"].startswith("{"):
            raise BadRequestException(
                f"A sibling ({other['pathPart']}) of this resource already has a variable path part -- only one is "
                "allowed"
            )


def described(resource: Body, with_methods: bool = False) -> Members:
    """A resource as AWS shows it: its methods by verb alone, unless they are asked for."""
    shown = {name: resource[name] for name in ("id", "parentId", "pathPart", "path") if resource.get(name)}
    methods = {verb: method if with_methods else {} for verb, method in resource["Methods"].items()}
    return shown | ({"resourceMethods": methods} if methods else {})


def _moved(body: Body, resource: Body) -> None:
    """Write the paths of a resource and everything below it anew."""
    parent = body["Resources"][resource["parentId"]]
    resource["path"] = child_path(parent, resource["pathPart"])
    for other in body["Resources"].values():
        if other.get("parentId") == resource["id"]:
            _moved(body, other)


def _below(body: Body, resource_id: str) -> list[str]:
    """A resource and everything below it."""
    found = [resource_id]
    for other in body["Resources"].values():
        if other.get("parentId") == resource_id:
            found += _below(body, other["id"])
    return found


class Resources:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def get_resources(self, call: Call, given: Members) -> Members:
        body = self._apis.body(given["restApiId"])
        ordered = sorted(body["Resources"].values(), key=lambda resource: resource["path"])
        items = [described(resource, "methods" in (given.get("embed") or [])) for resource in ordered]
        return page(items, given, 25)

    async def get_resource(self, call: Call, given: Members) -> Members:
        resource = resource_of(self._apis.body(given["restApiId"]), given["resourceId"])
        return described(resource, "methods" in (given.get("embed") or []))

    async def create_resource(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            return described(add_resource(edit.body, given["parentId"], given["pathPart"]))

        return await self._apis.change(given["restApiId"], change)

    async def update_resource(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            resource = resource_of(edit.body, given["resourceId"])
            for operation in given.get("patchOperations") or []:
                _patch(edit.body, resource, operation)
            return described(resource)

        return await self._apis.change(given["restApiId"], change)

    async def delete_resource(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            resource = resource_of(edit.body, given["resourceId"])
            if "parentId" not in resource:
                raise BadRequestException("Root resource cannot be deleted")
            for gone in _below(edit.body, resource["id"]):
                del edit.body["Resources"][gone]

        await self._apis.change(given["restApiId"], change)
        return {}


def _patch(body: Body, resource: Body, operation: Members) -> None:
    op, path, value = operation.get("op"), operation.get("path"), operation.get("value") or ""
    if op != "replace":
        raise BadRequestException(
            f"Invalid patch path  '{path}' specified for op '{op}'. Please choose supported operations"
        )
    if path not in ("/parentId", "/pathPart"):
        raise BadRequestException(
            f"Invalid patch path  '{path}' specified for op 'replace'. Must be one of: [/parentId, /pathPart]"
        )
    if "parentId" not in resource:
        raise BadRequestException("Root resource cannot update its parent or path part")
    parent_id, part = (value, resource["pathPart"]) if path == "/parentId" else (resource["parentId"], value)
    parent = resource_of(body, parent_id)
    if parent_id in _below(body, resource["id"]):
        raise BadRequestException("Resources cannot be cyclical.")
    check_place(body, parent, part, resource["id"])
    resource |= {"parentId": parent_id, "pathPart": part}
    _moved(body, resource)
