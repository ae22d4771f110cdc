"""Resource policies of functions: who else may invoke them (AddPermission, GetPolicy, RemovePermission)."""

from __future__ import annotations

import json
from typing import Any

from alight.calls import Call, Members
from alight.errors.lambda_ import ResourceConflictException, ResourceNotFoundException
from alight.services.lambda_.catalogue import Catalogue


class Permissions:
    """Statements are kept in the function's record, by their id."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def add_permission(self, call: Call, given: Members) -> Members:
        statement = _statement(given, self._catalogue.arn(given["FunctionName"]))

        def change(body: dict[str, Any]) -> dict[str, Any]:
            if given["StatementId"] in body["Policy"]:
                raise ResourceConflictException(
                    f"The statement id ({given['StatementId']}) provided already exists. Please provide a new "
                    "statement id, or remove the existing statement.",
                    Type="User",
                )
            return body | {"Policy": body["Policy"] | {given["StatementId"]: statement}}

        await self._catalogue.change(given["FunctionName"], change)
        return {"Statement": json.dumps(statement)}

    async def remove_permission(self, call: Call, given: Members) -> Members:
        def change(body: dict[str, Any]) -> dict[str, Any]:
            if given["StatementId"] not in body["Policy"]:
                raise ResourceNotFoundException(
                    f"Statement {given['StatementId']} is not found in resource policy.", Type="User"
                )
            return body | {"Policy": {sid: st for sid, st in body["Policy"].items() if sid != given["StatementId"]}}

        await self._catalogue.change(given["FunctionName"], change)
        return {}

    async def get_policy(self, call: Call, given: Members) -> Members:
        body = self._catalogue.body(given["FunctionName"])
        if not body["Policy"]:
            raise ResourceNotFoundException("The resource you requested does not exist.", Type="User")
        document = {"Version": "2012-10-17", "Id": "default", "Statement": list(body["Policy"].values())}
        return {"Policy": json.dumps(document), "RevisionId": body["Configuration"]["RevisionId"]}


def _statement(given: Members, arn: str) -> Members:
    principal: Any = given["Principal"]
    if principal.endswith(".amazonaws.com"):
        principal = {"Service": principal}
    elif principal != "*":
        principal = {"AWS": principal}
    conditions: Members = {}
    if "SourceArn" in given:
        conditions["ArnLike"] = {"AWS:SourceArn": given["SourceArn"]}
    if "SourceAccount" in given:
        conditions["StringEquals"] = {"AWS:SourceAccount": given["SourceAccount"]}
    statement = {
        "Sid": given["StatementId"],
        "Effect": "Allow",
        "Principal": principal,
        "Action": given["Action"],
        "Resource": arn,
    }
    return statement | ({"Condition": conditions} if conditions else {})
