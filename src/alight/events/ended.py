"""The end of an event, for those who want to be told of it: a destination, a dead-letter queue.

Whoever tells prepares it on the event loop and does it in the transaction that records the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alight.store.database import Tx
from alight.store.journal import Event

LOOP = "loop"
SUCCESS = "Success"


@dataclass(frozen=True, slots=True)
class Ended:
    """`condition` is `Success`, or why it was given up, in Lambda's word (`RetriesExhausted` ...).

    `attempts` counts those that the function was run for, `payload` is what the last one answered (Lambda's error
    object where it failed), None where there was none. `moment` is in seconds since 1970,
    `version` the one that ran last.
    """

    event: Event
    condition: str
    attempts: int
    payload: bytes | None
    moment: float
    version: str = "$LATEST"

    @property
    def succeeded(self) -> bool:
        return self.condition == SUCCESS


#: What is done in the transaction that records the end.
Deed = Callable[[Tx], None]
#: Asked on the event loop, before that transaction.
Tell = Callable[[Ended], Deed]
