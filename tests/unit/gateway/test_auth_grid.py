"""The grid of authentication: every way to say who one is x every operation of the coverage table x every address at
which it may be asked. Whatever is not allowed is refused; a new operation is in the grid by itself.

`make test` asks a third of the cells, each operation and each way among them; ALIGHT_CHAOS_GRID=1 asks all.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from alight.calls import Call, Members
from alight.clock import ManualClock
from alight.errors.common import NotImplemented_
from alight.gateway.access import OPERATIONS, Unsigned
from alight.gateway.asgi import Gateway
from alight.gateway.authorize import Authorizer
from alight.gateway.route import Router
from alight.services.permissions import condition_keys, needs
from tests.unit.gateway.asking import Asked, operations
from tests.unit.gateway.forging import (
    FORGED,
    FORGED_BUT_FOR_S3,
    GOOD,
    GOOD_FOR_OBJECTS,
    GOOD_FOR_S3,
    GOOD_FOR_UPLOADS,
    NOBODY,
    Form,
)
from tests.unit.gateway.signing import HOST, NOW, lookup

WHOLE = os.environ.get("ALIGHT_CHAOS_GRID") == "1"


class Doors:
    """Every operation is offered, reads its body to the end, and is remembered."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str, str]] = []

    def get(self, name: tuple[str, str]) -> Any:
        return self.answer

    async def answer(self, call: Call, given: Members) -> Members:
        for value in given.values():
            if hasattr(value, "__aiter__"):
                async for _ in value:
                    pass
        self.reached.append((call.service, call.operation, call.principal.kind))
        raise NotImplemented_("Reached, and left without an answer.")


@cache
def router() -> Router:
    return Router()


def gateway(doors: Doors, **options: Any) -> Gateway:
    reached: Any = doors
    return Gateway(operations=reached, keys=lookup, clock=ManualClock(NOW), router=router(), **options)


async def ask(at: Gateway, scope: dict[str, Any], body: bytes) -> int:
    sent: list[Any] = []
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
    scope["headers"].append((b"content-length", str(len(body)).encode()))

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await at(scope, receive, send)
    return int(sent[0]["status"])


#: Cells of which `make test` asks one, another one in each row.
STEP = 1 if WHOLE else 3


def cells(forms: Mapping[str, Form], which: Callable[[Asked], bool] = bool) -> Iterator[tuple[str, Form, Asked]]:
    """The forms x the operations that are meant; of these at each address, or at one that changes."""
    for row, asked in enumerate(operations()):
        places = [place for place in asked.addresses() if which(place)]
        for column, (name, form) in enumerate(forms.items()):
            if places and (row + column) % min(STEP, len(forms)) == 0:
                turn = (row + column) // STEP
                for place in places if WHOLE else [places[turn % len(places)]]:
                    yield name, form, place


def is_s3(asked: Asked) -> bool:
    return asked.service == "s3"


def is_an_object(asked: Asked) -> bool:
    return asked.operation in ("GetObject", "HeadObject", "DeleteObject") and asked.host == HOST


def is_an_upload(asked: Asked) -> bool:
    return is_s3(asked) and asked.operation in ("PutObject", "UploadPart")


def show(wrong: list[Any]) -> str:
    return "\n".join(map(str, wrong[:40]))


async def test_whoever_has_signed_well_is_let_in() -> None:
    """The controls: each operation is reached by each good signature."""
    doors = Doors()
    at, wrong, count = gateway(doors), [], 0
    asked_by: list[tuple[Mapping[str, Form], Callable[[Asked], bool]]] = [
        (GOOD, bool),
        (GOOD_FOR_S3, is_s3),
        (GOOD_FOR_OBJECTS, is_an_object),
        (GOOD_FOR_UPLOADS, is_an_upload),
    ]
    for forms, which in asked_by:
        for name, form, asked in cells(forms, which):
            doors.reached.clear()
            status = await ask(at, *form(asked))
            count += 1
            if [place[:2] for place in doors.reached] != [(asked.service, asked.operation)]:
                wrong.append((name, asked.name, status, doors.reached[:]))
    print(f"\n{len(operations())} operations, {count} cells that are allowed: {len(wrong)} refused")
    assert wrong == [], show(wrong)


async def test_nobody_else_is() -> None:
    doors = Doors()
    at, wrong, count, statuses = gateway(doors), [], 0, Counter[int]()
    for forms, which in ((FORGED, bool), (FORGED_BUT_FOR_S3, lambda asked: not is_s3(asked))):
        for name, form, asked in cells(forms, which):
            status = await ask(at, *form(asked))
            count, statuses[status] = count + 1, statuses[status] + 1
            # A good link of version 2 is S3's, at whatever path: then it is an object that was asked for.
            reached = [place for place in doors.reached if forms is FORGED or place[0] != "s3"]
            if reached or not (400 <= status < 500 or status == 501):
                wrong.append((name, asked.name, status, reached))
            doors.reached.clear()
    print(f"\n{len(operations())} operations, {len(FORGED)} false ways, {count} cells: {len(wrong)} accepted")
    print(f"answers: {dict(sorted(statuses.items()))}")
    assert wrong == [], show(wrong)


async def test_who_has_not_signed_comes_in_by_the_table_alone() -> None:
    doors = Doors()
    at, wrong, count, let_in = gateway(doors), [], 0, set()
    for name, form, asked in cells(NOBODY):
        status = await ask(at, *form(asked))
        count += 1
        by_token = {(service, operation, "anonymous") for service, operation in TOKENS}
        if not set(doors.reached) <= by_token or (not doors.reached and not 400 <= status < 500):
            wrong.append((name, asked.name, status, doors.reached[:]))
        let_in |= {place[:2] for place in doors.reached}
        doors.reached.clear()
    print(f"\n{len(operations())} operations, {count} unsigned cells: {len(wrong)} accepted")
    assert wrong == [], show(wrong)
    assert let_in == TOKENS, "who holds a token that was sent to them is let in"


TOKENS = {name for name, why in OPERATIONS.items() if why is Unsigned.TOKEN}


# Who may -------------------------------------------------------------------------------------------------------------

#: Operations that need no permission, as on AWS, and a policy cannot take away.
FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken"}
READING = ("Get", "List", "Describe", "Head")
READ_ONLY = {"Effect": "Allow", "Action": [f"*:{verb}*" for verb in READING], "Resource": "*"}


@pytest.mark.parametrize(("who", "policy"), [("nothing", []), ("reads", [{"Statement": [READ_ONLY]}])])
async def test_a_worker_does_what_its_policies_say(who: str, policy: list[Members]) -> None:
    """Well signed, and without a permission as good as not signed."""
    doors = Doors()
    clock = ManualClock(NOW)
    judge = Authorizer(needs=needs, policies_of=lambda principal: policy, clock=clock, keys_of=condition_keys)
    at, let_in = gateway(doors, authorize=judge), set()
    for asked in operations():
        await ask(at, *GOOD["worker's header"](asked))
        let_in |= {f"{service}:{operation}" for service, operation, _ in doors.reached}
        doors.reached.clear()
    writing = {name for name in let_in if not name.partition(":")[2].startswith(READING)} - FREE
    print(f"\na worker that may do {who}: {len(operations())} operations, {len(let_in)} let in, {len(writing)} write")
    assert let_in >= FREE
    assert writing == set()
    assert policy or let_in == FREE
