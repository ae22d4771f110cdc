"""AddTags, ListTags, DeleteTags: of models, endpoint configurations and endpoints, by their ARNs."""

from __future__ import annotations

from alight.calls import Call, Members
from alight.services.sagemaker.ledger import Ledger, merged
from alight.services.sagemaker.pages import page

PAGE = 50


class Tags:
    """Handlers; what is stored is the ledger's."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def add_tags(self, call: Call, given: Members) -> Members:
        return {"Tags": await self._ledger.change_tags(given["ResourceArn"], lambda tags: merged(tags, given["Tags"]))}

    async def list_tags(self, call: Call, given: Members) -> Members:
        return page(self._ledger.tags(given["ResourceArn"]), given, "Tags", PAGE)

    async def delete_tags(self, call: Call, given: Members) -> Members:
        gone = set(given["TagKeys"])
        await self._ledger.change_tags(
            given["ResourceArn"], lambda tags: [tag for tag in tags if tag["Key"] not in gone]
        )
        return {}
