"""Faults of the store: no room, damaged data, a disk that can no longer be trusted."""

from __future__ import annotations

from typing import ClassVar

from alight.errors import Fault


class InsufficientStorage(Fault):
    """There is not enough free space to store this."""

    status = 507


class StoreUnavailable(Fault):
    """The store is closed."""

    code: ClassVar[str] = "ServiceUnavailable"
    status = 503


class Damaged(Fault):
    """Stored data does not match its checksum."""

    code: ClassVar[str] = "InternalError"
    status = 500

    def __init__(self, what: str, key: str) -> None:
        """`what` names the statement or the kind of data, `key` the row or body that must not be used."""
        self.what = what
        self.key = key
        super().__init__(f"Stored data is damaged: {what} {key}.")


class Torn(Damaged):
    """A row's text is no UTF-8 any more, so that the whole answer with it cannot be read."""
