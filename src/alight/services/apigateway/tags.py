"""Tags of REST APIs and their stages, and the account's settings."""

from __future__ import annotations

import re
from typing import Any

from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, NotFoundException
from alight.services.apigateway.ledger import Edit, Ledger, stage_of
from alight.services.apigateway.patches import member, patch
from alight.store.records import Records

Body = dict[str, Any]

#: The one record of the account's settings.
ACCOUNT = ("apigateway:account", "settings")
_ARN = re.compile(r"arn:aws:apigateway:[a-z0-9-]+::/(restapis|apis)/(?P<api>[a-z0-9]+)(?:/stages/(?P<stage>[^/]+))?")


def tagged(arn: str) -> tuple[str, str]:
    """`(API's id, stage or "")` of an ARN; raises what AWS says of one that names nothing that has tags."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise BadRequestException(f"Invalid resource ARN specified: {arn}")
    return match["api"], match["stage"] or ""


class Tags:
    """The handlers."""

    def __init__(self, apis: Ledger, records: Records) -> None:
        self._apis = apis
        self._records = records

    async def tag_resource(self, call: Call, given: Members) -> Members:
        api, stage = tagged(given["resourceArn"])

        def change(edit: Edit) -> None:
            holder = stage_of(edit.body, stage) if stage else edit.body["Api"]
            holder["tags"] = (holder.get("tags") or {}) | given["tags"]

        await self._apis.change(api, change)
        return {}

    async def untag_resource(self, call: Call, given: Members) -> Members:
        api, stage = tagged(given["resourceArn"])

        def change(edit: Edit) -> None:
            holder = stage_of(edit.body, stage) if stage else edit.body["Api"]
            tags = holder.get("tags") or {}
            holder["tags"] = {key: value for key, value in tags.items() if key not in given["tagKeys"]}

        await self._apis.change(api, change)
        return {}

    async def get_tags(self, call: Call, given: Members) -> Members:
        api, stage = tagged(given["resourceArn"])
        body = self._apis.find(api)
        if body is None:
            raise NotFoundException("Invalid API identifier specified")
        holder = stage_of(body, stage) if stage else body["Api"]
        return {"tags": holder.get("tags") or {}}

    async def get_account(self, call: Call, given: Members) -> Members:
        record = self._records.get(*ACCOUNT)
        return _account(record.body if record else {})

    async def update_account(self, call: Call, given: Members) -> Members:
        record = self._records.get(*ACCOUNT)
        body = record.body if record else {}
        patch(body, given.get("patchOperations"), {"/cloudwatchRoleArn": member("cloudwatchRoleArn")})
        await self._records.save(*ACCOUNT, body)
        return _account(body)


def _account(body: Body) -> Members:
    return body | {"throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0}, "features": [], "apiKeyVersion": "4"}
