"""Who has caused whom: how often each function was called in one chain. Lambda ends a chain that has called the same
function sixteen times, unless its owner wants the loop (`RecursiveLoop`)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.definitions import may_loop
from alight.services.lambda_.qualifiers import split
from alight.store import journal
from alight.store.database import Reader, Tx

#: Calls of one function in one chain, each caused by the one before.
MOST_CALLS = 16

Chain = dict[str, int]


class Chains:
    """Reckons with one more call."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def with_call(self, reader: Reader, arn: str, causes: Iterable[str], tx: Tx | None = None) -> tuple[Chain, bool]:
        """The chain with a call of `arn` that `causes` (see `journal.chain`) have led to, and whether it is one too
        many. Of several, the longest counts."""
        chain: Chain = {}
        for cause in causes:
            for function, calls in journal.chain(reader, cause).items():
                chain[function] = max(calls, chain.get(function, 0))
        chain[arn] = chain.get(arn, 0) + 1
        # Looked up only where it counts: what a version or an alias does, its function's owner decides.
        return chain, chain[arn] > MOST_CALLS and not may_loop(self._catalogue.find(split(arn)[0], tx))


def written(chain: Chain) -> str:
    """As it travels with an invocation or a message."""
    return json.dumps(chain, separators=(",", ":"))
