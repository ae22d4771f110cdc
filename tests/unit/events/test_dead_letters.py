"""Every failure is visible: whatever ends an event for good leaves a dead letter with its reason, its attempts, its
payload and its story. One table of all of them, on real workers, the real journal and the real stories."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from alight.admin.story import Stories, event_summary
from alight.clock import SystemClock
from alight.events import dispatch, endings, policy
from alight.events.dispatch import Dispatcher, Result
from alight.events.ended import LOOP
from alight.functions.invocation import Kind
from alight.functions.pool import FunctionPool
from alight.names import function_arn
from alight.services.lambda_ import runner
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.metrics import FunctionMetrics
from alight.services.lambda_.runner import Runner
from alight.store import chosen, journal
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent, State
from alight.store.outbox import OutboxStore
from alight.store.records import Records
from alight.store.telemetry import Telemetry
from tests.unit.functions.bench import fake_credentials

HANDLER = "def handler(event, context):\n    "


@dataclass(frozen=True)
class Failure:
    """One way to fail for good. `reason` and `error` are what people read of it; `outcomes` are those of its attempts,
    in their order. `source` is the handler's module."""

    reason: str
    error: str = ""
    says: str = ""
    outcomes: tuple[str, ...] = ()
    source: str = HANDLER + "return 'never asked'"
    settings: dict[str, Any] = field(default_factory=dict)
    cause: dict[str, Any] = field(default_factory=dict)
    #: Seconds until it is too old, from the start.
    age: float = 3600.0


TIRED = "RetriesExhausted"

TABLE = {
    # What the function does.
    "raised": Failure(TIRED, "KeyError", "'bird'", ("error", "error"), HANDLER + "return {}['bird']"),
    "unfit": Failure(TIRED, "Runtime.MarshalError", "Unable to marshal", ("error",), HANDLER + "return {1, 2}"),
    "oversized": Failure(
        TIRED, "Function.ResponseSizeTooLarge", "exceeded maximum", ("error",), HANDLER + "return 'x' * (7 << 20)"
    ),
    "slow": Failure(
        TIRED, "Sandbox.Timedout", "timed out after 0.30", ("timeout",),
        HANDLER + "import time; time.sleep(60)", {"Timeout": 0.3},
    ),
    "crashed": Failure(
        TIRED, "Runtime.ExitError", "exit status 7", ("crash", "crash"), HANDLER + "import os; os._exit(7)"
    ),
    "greedy": Failure(
        TIRED, "Runtime.OutOfMemory", "signal: killed", ("oom",),
        HANDLER + "kept = []\n    while True: kept.append(bytearray(b'x' * (4 << 20)))", {"MemorySize": 128},
    ),
    # What it is.
    "unloadable": Failure(TIRED, "ZeroDivisionError", "division by zero", ("init",), "1 / 0"),
    "unwritten": Failure(TIRED, "Runtime.UserCodeSyntaxError", "Syntax error", ("init",), "def handler("),
    "exits": Failure(TIRED, "Runtime.ExitError", "exit status 3", ("init",), "import os; os._exit(3)"),
    "handlerless": Failure(TIRED, "Runtime.HandlerNotFound", "missing on module", ("init",), "x = 1"),
    "elsewhere": Failure(
        TIRED, "Runtime.ImportModuleError", "No module named 'gone'", ("init",), settings={"Handler": "gone.handler"}
    ),
    "changed": Failure(
        TIRED, "Runtime.InvalidEntrypoint", "is not what was uploaded", ("init",), settings={"Seal": "another"}
    ),
    "leaving": Failure(TIRED, "ResourceNotFoundException", "Function not found", ("error",)),
    # What never ran.
    "gone": Failure("FunctionNotFound"),
    "closed": Failure("ZeroReservedConcurrency", settings={"Reserved": 0}),
    "late": Failure("EventAgeExceeded", age=-1.0),
    "shut-out": Failure("EventAgeExceeded", "BlockingIOError", "no process to be had", age=100.0),
    "turned-away": Failure(
        "EventAgeExceeded", "RuntimeError", "no place", ("error",),
        HANDLER + "raise RuntimeError('no place')", age=100.0,
    ),
    "circling": Failure("RecursiveLoop", cause={LOOP: True}),
    "torn": Failure("Damaged"),
    # What was done, and could not be kept.
    "unkept": Failure("NotRecorded", "RuntimeError", "a fault of ours", source=HANDLER + "return 'done'"),
}  # fmt: skip


class Publishes:
    """Nobody publishes; one result cannot be recorded."""

    def begin(self, event_id: str, fence: int) -> None:
        """Nothing is held for it."""

    def end(self, event_id: str, fence: int) -> None:
        """Nothing was held for it."""

    def release(self, tx: Tx, event_id: str, fence: int) -> None:
        if event_id == "unkept":
            raise RuntimeError("a fault of ours")

    def discard(self, tx: Tx, event_id: str, fence: int | None = None) -> None:
        """Nothing is staged."""


@dataclass
class House:
    """What an instance has between the queue and the people who ask."""

    folder: Path
    database: Database
    catalogue: Catalogue
    pool: FunctionPool
    runner: Runner
    stories: Stories

    async def invoke(self, event: Event) -> Result:
        if event.id == "shut-out":
            raise BlockingIOError(11, "no process to be had")
        if event.id == "leaving":
            await self.catalogue.delete("leaving")
        result = await self.runner.event(event)
        return replace(result, turned_away=event.id == "turned-away")

    async def make(self, name: str, failure: Failure) -> None:
        code = self.folder / name
        code.mkdir()
        (code / "app.py").write_text(failure.source)
        configuration = {
            "FunctionName": name, "FunctionArn": function_arn(name), "Version": "$LATEST", "Handler": "app.handler",
            "Runtime": "python3.11", "Timeout": 30, "MemorySize": 256, "Role": "arn:aws:iam::000000000000:role/worker",
            "LoggingConfig": {"LogGroup": f"/aws/lambda/{name}"}, "EphemeralStorage": {"Size": 512},
        }  # fmt: skip
        configuration |= {key: value for key, value in failure.settings.items() if key in configuration}
        place = {"Dir": name, "Venv": "", "Seal": failure.settings.get("Seal", "")}
        reserved = failure.settings.get("Reserved")
        await self.catalogue.create(
            {"Configuration": configuration, "Code": place, "Reserved": reserved, "Publish": "staged"}
        )

    async def accept(self, name: str, failure: Failure) -> None:
        if name != "gone":
            await self.make(name, failure)
        now, retries = self.database.clock.now(), max(len(failure.outcomes), 1) - 1
        source = {"kind": "test"} | failure.cause
        new = NewEvent(name, function_arn(name), payload(name), source, now, now + failure.age, retries)

        def job(tx: Tx) -> None:
            journal.accept(tx, new)
            if failure.reason == "Damaged":
                tx._connection.execute("UPDATE events SET retries = 9 WHERE id = ?", (name,))

        await self.database.write(job)


def payload(name: str) -> bytes:
    return json.dumps({"picture": name}).encode()


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    clock = SystemClock()
    database = await Database.open(folder, clock, ballast=0)
    telemetry = await Telemetry.open(folder, clock)
    pool = FunctionPool(
        limit=4, idle_timeout=60.0, clock=clock, folder=folder, credentials=fake_credentials,
        endpoint_url=lambda: "http://127.0.0.1:1", log=telemetry.log_all,
    )  # fmt: skip
    catalogue = Catalogue(database, Records(database))
    running = Runner(catalogue, pool, telemetry, FunctionMetrics(telemetry), clock, (0.0,), folder)
    try:
        yield House(folder, database, catalogue, pool, running, Stories(database, OutboxStore(database), telemetry))
    finally:
        await pool.close()
        await telemetry.close()
        await database.close()


async def test_every_end_but_success_is_a_dead_letter_with_reason_attempts_payload_and_story(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        for name, failure in TABLE.items():
            await house.accept(name, failure)
        dispatcher = Dispatcher(
            house.database, house.database.clock,
            target=house.runner.target, invoke=house.invoke, publishes=Publishes(),
            chance=lambda: 1_000.0,  # so the wait for a process is longer than its event has left
        )  # fmt: skip
        house.pool.on_free = dispatcher.freed
        loop = asyncio.create_task(dispatcher.run())
        try:
            async with asyncio.timeout(60):
                while journal.books(house.database.read()).dead < len(TABLE):
                    await asyncio.sleep(0.01)
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            await dispatcher.close()
        whole = {name: failure for name, failure in TABLE.items() if failure.reason != "Damaged"}
        assert {name: await seen(house, name) for name in whole} == {
            name: expected(name, failure) for name, failure in whole.items()
        }
        # What the disk has damaged is shown without what may be other bytes than were accepted.
        torn, story = house.stories.show("torn"), await house.stories.explain("torn")
        assert (torn["state"], torn["error"]["type"], torn["payload"]) == ("dead", "Damaged", None)
        assert story["event"]["id"] == "torn"
        listed = map(event_summary, journal.newest(house.database.read(), state=State.DEAD))
        assert {event["id"]: event["error"]["type"] for event in listed} == {
            name: kind(failure) for name, failure in TABLE.items()
        }
        for name, failure in TABLE.items():
            found = chosen.dead(house.database.read(), function=function_arn(name), reason=failure.reason)
            assert found == [name], "what a redrive finds by its reason"


async def seen(house: House, name: str) -> dict[str, Any]:
    """What people are shown of an event."""
    shown, story = house.stories.show(name), await house.stories.explain(name)
    error, says = shown["error"], TABLE[name].says
    return {
        "state": shown["state"],
        "type": error["type"],
        "says": says if says in error["message"] else error["message"],
        "attempts": shown["attempts"],
        "payload": shown["payload"],
        "history": [attempt["outcome"] for attempt in shown["history"]],
        "steps": [step["what"] for step in story["steps"]],
        "reason in the story": story["event"]["error"]["type"],
        "finished": shown["finished"] is not None,
    }


def kind(failure: Failure) -> str:
    return f"{failure.reason} {failure.error}".strip()


def expected(name: str, failure: Failure) -> dict[str, Any]:
    return {
        "state": "dead",
        "type": kind(failure),
        "says": failure.says,
        "attempts": 1 if failure.reason == "NotRecorded" else len(failure.outcomes),
        "payload": json.loads(payload(name)),
        "history": list(failure.outcomes),
        "steps": [f"attempt {number}: {outcome}" for number, outcome in enumerate(failure.outcomes, 1)],
        "reason in the story": kind(failure),
        "finished": True,
    }


def test_the_table_leaves_nothing_out() -> None:
    outcomes = {outcome for failure in TABLE.values() for outcome in failure.outcomes}
    # `killed` is the end of the runtime: such an event keeps its lease, and runs after the next start.
    assert outcomes == set(get_args(Kind)) - {"ok", "killed"}
    statements = Path(inspect.getfile(journal)).parent / "sql" / "journal.sql"
    text = "".join(map(inspect.getsource, (dispatch, endings, policy, runner))) + statements.read_text()
    reasons = set(re.findall(r'(?:GiveUp\(|"reason": |bury\(function, |disabled=)"([A-Za-z]+)"', text))
    assert {failure.reason for failure in TABLE.values()} == reasons
