"""What a resource type has to say for itself: its name, its attributes, and how it is made, changed and removed.

A `Provider` is data and functions; `resources/` has one file of them per family. A function gets a `Work` and calls
operations of the services, the same that the wire offers; it must be safe to run again after it was cut off.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from alight.calls import Members
from alight.clock import Clock
from alight.errors import Fault
from alight.stacks.answers import Answers
from alight.stacks.load import canonical


class CallOperation(Protocol):
    """Runs one operation of one service as the owner, in this process. Raises the service's faults."""

    def __call__(self, service: str, operation: str, given: Members, /) -> Awaitable[Members]: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all resources of one apply. `base_url` is how this instance is reached, `arn` the stack's,
    `answers` where custom resources answer."""

    stack: str
    folder: Path
    base_url: str
    call: CallOperation
    clock: Clock
    arn: str = ""
    answers: Answers | None = None


class Named(Protocol):
    """What a resource's attributes follow from, before and after it is there."""

    @property
    def name(self) -> str: ...
    @property
    def properties(self) -> Members: ...
    @property
    def base_url(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A `Named` that stands for itself."""

    name: str
    properties: Members
    base_url: str


@dataclass(frozen=True, slots=True)
class Work:
    """One resource as it is to be.

    `before` are the properties of the last apply (empty at creation), `known` what the service told at creation.
    """

    around: Surroundings
    logical_id: str
    name: str
    properties: Members
    before: Members = field(default_factory=dict)
    known: Members = field(default_factory=dict)
    metadata: Members = field(default_factory=dict)
    type: str = ""

    @property
    def base_url(self) -> str:
        return self.around.base_url

    async def call(self, service: str, operation: str, **given: Any) -> Members:
        return await self.around.call(service, operation, given)

    async def quietly(self, service: str, operation: str, **given: Any) -> None:
        """For removals: what is gone already is as it should be."""
        try:
            await self.around.call(service, operation, given)
        except Fault as fault:
            if not is_absence(fault):
                raise

    def changed(self, *names: str) -> bool:
        """Whether one of these properties is other than it was."""
        return any(canonical(self.properties.get(name)) != canonical(self.before.get(name)) for name in names)

    def path(self, text: Any) -> Path:
        """A local path of the template, absolute."""
        return (self.around.folder / str(text)).resolve()


_ABSENCES = re.compile(r"NoSuch|NotFound|NonExistent|DoesNotExist|Could not find", re.IGNORECASE)


def is_absence(fault: Fault) -> bool:
    """Whether a fault says that the thing is not there; SageMaker says so in words only."""
    return bool(_ABSENCES.search(fault.code)) or (
        fault.code.startswith("Validation") and bool(_ABSENCES.search(fault.message))
    )


class Kept(Exception):
    """Removing a resource would lose something, so it stays; says what and how to remove it."""


@dataclass(frozen=True, slots=True)
class Naming:
    """`property` holds the name where the template gives one; else stack and logical id make it, `limit` long."""

    property: str = ""
    limit: int = 64

    def name(self, stack: str, logical_id: str, properties: Mapping[str, Any], generation: int, seed: str = "") -> str:
        """Known before creation, the same at every apply, different for every generation and every `seed`."""
        given = properties.get(self.property)
        if given:
            return str(given)
        whole = f"{seed or stack}/{logical_id}/{generation}"
        ending = hashlib.sha256(whole.encode()).hexdigest()[:6]
        return f"{f'{stack}-{logical_id}'.lower()[: self.limit - 7].rstrip('-')}-{ending}"


#: Any change makes a new resource.
ALL = frozenset({"*"})

Deed = Callable[[Work], Awaitable[Members | None]]
Operation = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Provider:
    """One resource type.

    `create` and `update` return what only the service knows (or None); `late` names those attributes. `attributes`
    gives `Ref` and all that follows from name and properties. A change of a property in `replaced_by` makes a new
    resource (`ALL`: any change does). What is `free` has whatever attributes the answer to its creation gives, and a
    creation that was cut off is gone on with. `contents` gives the local files that the resource is made of. `settle`
    waits, after everything else is done, until the resource is of use. `needs` are operations that must be offered.
    """

    type: str
    naming: Naming
    create: Deed
    delete: Deed
    attributes: Callable[[Named], Members]
    update: Deed | None = None
    replaced_by: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    contents: Callable[[Work], Mapping[str, Path]] | None = None
    settle: Deed | None = None
    needs: tuple[Operation, ...] = ()
    free: bool = False
