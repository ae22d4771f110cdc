"""Resource policies of functions: who else may invoke them (AddPermission, GetPolicy, RemovePermission)."""

from __future__ import annotations

import json
import re
from typing import Any

from alight.calls import Call, Members
from alight.errors.common import ValidationException
from alight.errors.lambda_ import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.definitions import at_revision, revised
from alight.services.lambda_.qualifiers import LATEST

URL_ACTION = "lambda:InvokeFunctionUrl"
_ACTION = re.compile(r"(lambda:[*]|lambda:[a-zA-Z]+|[*])")
#: Everybody, a service, an account, or somebody by ARN.
_PRINCIPAL = re.compile(r"\*|[a-z0-9.-]+\.amazon(aws)?\.com(\.cn)?|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:.+")
#: (condition key, member that gives its value)
_EQUAL = (("AWS:SourceAccount", "SourceAccount"), ("lambda:FunctionUrlAuthType", "FunctionUrlAuthType"))


class Permissions:
    """Statements are kept in the record of the function, version or alias that they are for, by their id."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def add_permission(self, call: Call, given: Members) -> Members:
        arn = self._catalogue.arn(given["FunctionName"], given.get("Qualifier"))
        if arn.endswith(f":{LATEST}"):
            raise InvalidParameterValueException(
                "We currently do not support adding policies for $LATEST.", Type="User"
            )
        _check_words(given)
        if given.get("FunctionUrlAuthType") and given["Action"] != URL_ACTION:
            raise InvalidParameterValueException(
                f"FunctionUrlAuthType is only supported for {URL_ACTION} action", Type="User"
            )
        statement = _statement(given, arn)

        def change(body: dict[str, Any]) -> dict[str, Any]:
            if given["StatementId"] in body["Policy"]:
                raise ResourceConflictException(
                    f"The statement id ({given['StatementId']}) provided already exists. Please provide a new "
                    "statement id, or remove the existing statement.",
                    Type="User",
                )
            return revised(at_revision(body, given)) | {"Policy": body["Policy"] | {given["StatementId"]: statement}}

        await self._catalogue.change_kept(given["FunctionName"], given.get("Qualifier"), change)
        return {"Statement": json.dumps(statement)}

    async def remove_permission(self, call: Call, given: Members) -> Members:
        def change(body: dict[str, Any]) -> dict[str, Any]:
            if given["StatementId"] not in body["Policy"]:
                raise ResourceNotFoundException(
                    f"Statement {given['StatementId']} is not found in resource policy.", Type="User"
                )
            left = {sid: statement for sid, statement in body["Policy"].items() if sid != given["StatementId"]}
            return revised(at_revision(body, given)) | {"Policy": left}

        await self._catalogue.change_kept(given["FunctionName"], given.get("Qualifier"), change)
        return {}

    async def get_policy(self, call: Call, given: Members) -> Members:
        body = self._catalogue.kept(given["FunctionName"], given.get("Qualifier"))
        if not body["Policy"]:
            raise ResourceNotFoundException("The resource you requested does not exist.", Type="User")
        document = {"Version": "2012-10-17", "Id": "default", "Statement": list(body["Policy"].values())}
        return {"Policy": json.dumps(document), "RevisionId": body["Configuration"]["RevisionId"]}


def _check_words(given: Members) -> None:
    """An action that no call to a function needs, or a principal that nobody is, would stand there and do nothing."""
    if not _ACTION.fullmatch(given["Action"]):
        raise ValidationException(
            f"1 validation error detected: Value '{given['Action']}' at 'action' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_ACTION.pattern}"
        )
    if not _PRINCIPAL.fullmatch(given["Principal"]):
        raise InvalidParameterValueException(
            "The provided principal was invalid. Please check the principal and try again.", Type="User"
        )


def _statement(given: Members, arn: str) -> Members:
    principal: Any = given["Principal"]
    if principal.endswith((".amazonaws.com", ".amazon.com")):
        principal = {"Service": principal}
    elif principal != "*":
        principal = {"AWS": principal}
    conditions: Members = {}
    if "SourceArn" in given:
        conditions["ArnLike"] = {"AWS:SourceArn": given["SourceArn"]}
    equal = {key: given[member] for key, member in _EQUAL if member in given}
    conditions |= {"StringEquals": equal} if equal else {}
    if given.get("InvokedViaFunctionUrl") is not None:
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": str(given["InvokedViaFunctionUrl"]).lower()}
    statement = {
        "Sid": given["StatementId"],
        "Effect": "Allow",
        "Principal": principal,
        "Action": given["Action"],
        "Resource": arn,
    }
    return statement | ({"Condition": conditions} if conditions else {})
