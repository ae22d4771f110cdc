"""Nothing is accepted and inert: which members of an operation mean something here (design, decision 6).

Each service has one table, operation → `Support`. A member is *honoured* (it does what AWS says), *neutral* (there is
nothing to act on here; accepted, stored and returned where AWS returns it) or refused by name with 501. The tables
are data, so that the coverage page is made from them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass

from alight.calls import Call, Handler, Members
from alight.errors.common import NotImplemented_


@dataclass(frozen=True, slots=True)
class Support:
    """The members of one operation that are honoured and those that are neutral."""

    honoured: frozenset[str]
    neutral: frozenset[str] = frozenset()


Table = Mapping[str, Support]


def support(honoured: str = "", neutral: str = "") -> Support:
    """A row of a table from member names with spaces between them."""
    return Support(frozenset(honoured.split()), frozenset(neutral.split()))


def check(
    service: str, operation: str, given: Members, honoured: Iterable[str] = (), neutral: Iterable[str] = ()
) -> None:
    """Raise `NotImplemented_` naming the first given member that is neither honoured nor neutral."""
    known = {*honoured, *neutral}
    for member, value in given.items():
        if value is not None and member not in known:
            raise NotImplemented_(f"Alight does not support the member {member} of {service} {operation}.")


def guarded(service: str, table: Table, handlers: Mapping[str, Handler]) -> dict[tuple[str, str], Handler]:
    """The service's part of the operations table, each handler behind the check of its row.

    Raises `ValueError` where an operation has a handler and no row, or a row and no handler.
    """
    if odd := set(table) ^ set(handlers):
        raise ValueError(f"{service}: operations without a handler or without a row: {', '.join(sorted(odd))}")
    return {(service, name): _guard(service, name, table[name], handler) for name, handler in handlers.items()}


def _guard(service: str, operation: str, row: Support, handler: Handler) -> Handler:
    known = row.honoured | row.neutral

    def checked(call: Call, given: Members) -> Awaitable[Members]:
        if not given.keys() <= known:
            check(service, operation, given, known)
        return handler(call, given)

    return checked
