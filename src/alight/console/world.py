"""What pages may ask and do. Everything is handed over by assembly; pages keep nothing of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.calls import Members
from alight.clock import Clock
from alight.console.entry import Entry
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.outbox import OutboxStore
from alight.store.records import Records
from alight.store.telemetry import Telemetry

#: (service, operation, members) -> members, as the owner; raises the service's own `Fault`.
CallAs = Callable[[str, str, Members], Awaitable[Members]]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What a mail asks of who subscribed: the `token` that says yes or, where none does any more, `why`. Neither is
    there where it asks nothing."""

    token: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """One instance as its console sees it."""

    clock: Clock
    database: Database
    objects: ObjectStore
    records: Records
    telemetry: Telemetry
    outbox: OutboxStore
    #: Why what is ready for a target waits; empty where its host answers.
    waits: Callable[[str], str]
    entry: Entry
    call: CallAs
    #: The story of an id; raises `AlightError` where nothing is known of it.
    explain: Callable[[str], Awaitable[Json]]
    #: One event with payload, result and attempts.
    show: Callable[[str], Json]
    #: What the admin door answers under a name ("status", "events/redrive" ...), given a body.
    ask: Callable[[str, Json], Awaitable[Any]]
    #: The names of the classes of what an endpoint's variant serves.
    labels: Callable[[str, str], tuple[str, ...]]
    #: (a role's name, action, the resource's ARN) -> may it.
    role_may: Callable[[str, str, str], bool]
    #: The folder of a function's code; raises the service's `Fault` where there is no such function.
    code_of: Callable[[str], Path]
    #: (bucket, key, seconds) -> a link that anybody may use for so long.
    presigned: Callable[[str, str, int], str]
    #: What a phone shows of a message, by its id.
    text_on_phones: Callable[[str], str]
    #: What an email says of a message, by its id.
    text_in_mailboxes: Callable[[str], str]
    #: (a message's id, the subscription that it asks about) -> what confirms that, or why nothing does any more.
    question_of: Callable[[str, str], Question]
    #: Functions are told again of these keys of a bucket; how many events that made.
    tell_again: Callable[[str, list[str]], Awaitable[int]]
    #: Settings in force, secrets masked.
    settings: Callable[[], dict[str, Any]]
    #: The data folder.
    data: Path
    base_url: Callable[[], str]
    version: str
    read_only: bool

    async def roles_for(self, service: str) -> list[Members]:
        """Roles that a service ("lambda.amazonaws.com") may take, as a form offers them; the service itself decides."""
        found = (await self.call("iam", "ListRoles", {}))["Roles"]
        return [one for one in found if service in str(one["AssumeRolePolicyDocument"])]
