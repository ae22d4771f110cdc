"""What the operations share: the engine's means, who acts, and how a stack is found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from alight.calls import Members, Principal, Session
from alight.errors.common import NotImplemented_, ValidationError
from alight.names import ACCOUNT, REGION
from alight.stacks.apply import Means
from alight.stacks.provider import CallOperation
from alight.stacks.record import GONE, KIND, TEMPLATE, Stack, all_stacks, stack_of

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/"


@dataclass(frozen=True, slots=True)
class Ground:
    """`means()` are the owner's, as they are at that moment; `acting(principal)` calls operations with what that
    principal may do; `assume(role ARN)` is the principal of a role, or raises `ValidationError`."""

    means: Callable[[], Means]
    acting: Callable[[Principal], CallOperation]
    assume: Callable[[str], Principal]

    def means_of(self, body: Members) -> Means:
        """The means of a stack's work: as its role, else as whoever asked for it."""
        role = body.get("RoleARN")
        principal = self.assume(role) if role else restored(body["Caller"])
        return replace(self.means(), call=self.acting(principal))

    def find(self, name: str) -> Stack | None:
        """The stack of that name or ARN that is there, or None."""
        means = self.means()
        plain = name.removeprefix(_ARN).split("/")[0] if name.startswith(_ARN) else name
        record = means.records.get(KIND, plain)
        if record is None:
            return None
        stack = stack_of(plain, record.body)
        return stack if name in (plain, stack.arn) else None

    def described(self, name: str) -> Stack:
        """The same, or one that was deleted, by its ARN. Raises `ValidationError`."""
        found = self.find(name)
        if found is None and (gone := self.means().records.get(GONE, name)) is not None:
            found = stack_of(gone.body["Name"], gone.body)
        if found is None:
            raise ValidationError(f"Stack with id {name} does not exist")
        return found

    def stacks(self) -> Iterator[Stack]:
        return all_stacks(self.means().records)

    def template(self, definition: Members, part: str = "Original") -> str:
        """A template's text as it was given, or as it was `Processed`."""
        record = self.means().records.get(TEMPLATE, definition["Template"])
        return str(record.body[part]) if record else ""


def caller(principal: Principal) -> Members:
    """A principal as the stack's record keeps it: beyond the request, and beyond the worker that made it."""
    return asdict(replace(principal, worker=None))


def restored(kept: Members) -> Principal:
    """The principal of a record; what narrowed its session narrows the stack's work, too."""
    session = kept.get("session")
    if session is None:
        return Principal(**kept)
    policies = {name: tuple(session[name]) for name in ("policies", "policy_arns")}
    return Principal(**kept | {"session": Session(**session | policies)})


def check_name(name: str, member: str = "stackName") -> None:
    if not _NAME.fullmatch(name):
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def refuse_unless_empty(operation: str, given: Members, *members: str) -> None:
    """Tools send these with nothing in them; with something in them they would be promises."""
    for member in members:
        if given.get(member):
            raise NotImplemented_(f"Alight does not support the member {member} of cloudformation {operation}.")


def refuse_but(operation: str, given: Members, allowed: Mapping[str, Any]) -> None:
    """Members that are honoured for one value alone."""
    for member, value in allowed.items():
        if given.get(member) not in (None, value):
            message = f"Alight does not support {member} {given[member]} of cloudformation {operation}."
            raise NotImplemented_(message)
