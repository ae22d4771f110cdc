"""GetAccountSettings: what the account may use of Lambda, and what it uses."""

from __future__ import annotations

from alight.calls import Call, Members
from alight.functions.archive import UNPACKED_LIMIT
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.layers import layer_sizes
from alight.services.lambda_.sources import ZIPPED_LIMIT
from alight.store.records import Records

#: Bytes of all packages: AWS's figure. The disk is the limit here.
TOTAL_CODE_SIZE = 80_530_636_800


class Account:
    """`limit` is how many calls run at a time on this machine."""

    def __init__(self, catalogue: Catalogue, records: Records, limit: int) -> None:
        self._catalogue = catalogue
        self._records = records
        self._limit = limit

    async def get_account_settings(self, call: Call, given: Members) -> Members:
        functions = self._catalogue.page("", 100_000)
        reserved = sum(body["Reserved"] or 0 for body in functions)
        sizes = [body["Configuration"]["CodeSize"] for body in self._catalogue.everything()]
        return {
            "AccountLimit": {
                "TotalCodeSize": TOTAL_CODE_SIZE,
                "CodeSizeUnzipped": UNPACKED_LIMIT,
                "CodeSizeZipped": ZIPPED_LIMIT,
                "ConcurrentExecutions": self._limit,
                "UnreservedConcurrentExecutions": max(self._limit - reserved, 0),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(sizes) + sum(layer_sizes(self._records)),
                "FunctionCount": len(functions),
            },
        }
