"""Every path of the admin door, and what stands behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.admin.events import Events
from alight.admin.http import Request, Route
from alight.admin.keeping import Keeping
from alight.admin.numbers import positive, whole, wholes
from alight.admin.privileges import Privileges
from alight.admin.replay import Replay
from alight.admin.story import decoded
from alight.apis.api import Api
from alight.clock import Clock
from alight.endpoints.server import Endpoints
from alight.errors import AlightError
from alight.functions.invocation import Invocation
from alight.names import new_request_id
from alight.notifications.outbox import Outbox
from alight.services.apigateway.served import Served
from alight.services.apigatewayv2.apis import MOUNT
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.invocations import Queue
from alight.services.lambda_.runner import Runner
from alight.services.sagemaker.ledger import CONFIGURATION, ENDPOINT
from alight.store import journal
from alight.store.database import Database, Reader
from alight.store.objects import ObjectStore
from alight.store.outbox import PAGE, DeliveryState, OutboxStore
from alight.store.records import Records
from alight.store.rows import Row
from alight.store.telemetry import Telemetry

#: Seconds between two looks for new log lines of who follows a log; looks without any that are told by an empty line.
FOLLOW = 0.25
QUIET = 4


@dataclass(frozen=True, slots=True)
class About:
    """What the instance says of itself."""

    url: str
    data: Path
    pid: int
    version: str
    started: float
    template: Path | None = None
    warnings: tuple[str, ...] = ()
    #: The fence around functions and models: its tier, then in words.
    sandbox: tuple[str, str] = ("none", "")


@dataclass(frozen=True, slots=True)
class Admin:
    """The handlers; everything is handed over by app.py."""

    about: Callable[[], About]
    clock: Clock
    database: Database
    objects: ObjectStore
    records: Records
    telemetry: Telemetry
    outbox: OutboxStore
    sender: Outbox
    endpoints: Endpoints
    catalogue: Catalogue
    runner: Runner
    queue: Queue
    apis: Served
    new_link: Callable[[], str]
    events: Events
    keeping: Keeping
    privileges: Privileges
    replay: Replay
    outputs: Callable[[], Awaitable[dict[str, Any]]]
    apply: Callable[[Path, bool], Awaitable[dict[str, Any]]]

    def routes(self) -> Sequence[Route]:
        return (
            Route("GET", "health", self.health, open=True),
            Route("GET", "metrics", self.metrics),
            Route("GET", "api/status", self.status),
            Route("GET", "api/outputs", self.get_outputs),
            Route("GET", "api/books", self.books),
            Route("GET", "api/events", self.events.newest),
            Route("GET", "api/events/{id}", self.events.show),
            Route("POST", "api/events/{id}/replay", self.events.replay),
            Route("POST", "api/events/redrive", self.events.redrive),
            Route("POST", "api/events/replay", self.replay.start),
            Route("GET", "api/explain/{id}", self.events.explain),
            Route("GET", "api/outbox", self.deliveries),
            Route("POST", "api/outbox/redrive", self.redrive),
            Route("GET", "api/models", self.models),
            Route("GET", "api/privileges/{name}", self.privileges.show),
            Route("GET", "api/logs", self.logs),
            Route("POST", "api/invoke", self.invoke),
            Route("POST", "api/apply", self.apply_template),
            Route("POST", "api/console", self.console_link),
            Route("POST", "api/verify", self.keeping.verify),
            Route("POST", "api/backup", self.keeping.back_up),
        )

    async def health(self, request: Request) -> dict[str, Any]:
        """Open to everybody: that it serves, nothing more."""
        return {"status": "ok"}

    async def console_link(self, request: Request) -> dict[str, str]:
        """A link that lets somebody into the console, once."""
        return {"url": self.new_link()}

    async def metrics(self, request: Request) -> str:
        """The books in Prometheus's text format."""
        books, outbox = await self._counts()
        lines = ["# TYPE alight_sandbox gauge", f'alight_sandbox{{tier="{self.about().sandbox[0]}"}} 1']
        lines += ["# TYPE alight_events gauge"]
        lines += [f'alight_events{{state="{state}"}} {number}' for state, number in books.items()]
        lines += ["# TYPE alight_deliveries gauge"]
        lines += [f'alight_deliveries{{state="{state}"}} {number}' for state, number in outbox.items()]
        lines += ["# TYPE alight_silent_hosts gauge", f"alight_silent_hosts {self.sender.silent()}"]
        lines += ["# TYPE alight_telemetry_dropped counter", f"alight_telemetry_dropped {self.telemetry.dropped}"]
        return "\n".join(lines) + "\n"

    async def status(self, request: Request) -> dict[str, Any]:
        about, (books, outbox) = self.about(), await self._counts()
        functions = self.catalogue.page("", 1000)
        return {
            "url": about.url,
            "data": str(about.data),
            "template": str(about.template) if about.template else None,
            "pid": about.pid,
            "version": about.version,
            "started": about.started,
            "sandbox": dict(zip(("tier", "detail"), about.sandbox, strict=True)),
            "books": books,
            "outbox": outbox,
            "functions": [
                {name: body["Configuration"][member] for name, member in _FUNCTION_COLUMNS.items()}
                for body in functions
            ],
            "endpoints": (await self.models(request))["endpoints"],
            "buckets": [bucket.name for bucket in self.objects.list_buckets()],
            "topics": [record.name for record in self.records.list("sns:topic")],
            "queues": [record.name for record in self.records.list("sqs:queue")],
            "apis": [
                {"name": api.name, "kind": api.kind, "stage": api.stage, "url": self._url(api)}
                for api in self.apis.all()
            ],
            "backup": await self.keeping.last(),
            "warnings": [*about.warnings, *_warnings(functions)],
        }

    def _url(self, api: Api) -> str:
        """A stage's address; the stage that needs no name is called without one."""
        stage = "" if api.stage == "$default" else api.stage
        return f"{self.about().url}{MOUNT}/{api.id}/{stage}"

    async def get_outputs(self, request: Request) -> dict[str, Any]:
        return await self.outputs()

    async def books(self, request: Request) -> dict[str, Any]:
        books, outbox = await self._counts()
        return books | {"outbox": outbox}

    async def deliveries(self, request: Request) -> dict[str, Any]:
        """A page, newest first: `state`, `limit`, and `before`, an id; `next` is the `before` of the next page."""
        limit = max(min(whole(request.query, "limit", 50), PAGE), 1)
        state, before = request.query.get("state", ""), whole(request.query, "before", 1 << 62)
        if state and state not in list(DeliveryState):
            raise AlightError(f"{state} is not a state of a delivery.", f"One of: {', '.join(DeliveryState)}.")
        rows = [self._waiting(row) for row in self.outbox.deliveries(state, before, limit + 1)]
        return {"deliveries": rows[:limit], "next": rows[limit - 1]["id"] if len(rows) > limit else None}

    def _waiting(self, row: Row) -> Row:
        """With `waits`: why a delivery that is ready waits longer than until its moment."""
        ready = row["state"] == DeliveryState.READY.value
        return row | {"waits": self.sender.waits(row["target"]) if ready else ""}

    async def redrive(self, request: Request) -> dict[str, Any]:
        return {"count": await self.sender.redrive(wholes(request.body or {}, "ids"))}

    async def models(self, request: Request) -> dict[str, Any]:
        found = []
        for record in self.records.list(ENDPOINT):
            status = self.endpoints.status(record.name)
            configuration = self.records.get(CONFIGURATION, record.body["EndpointConfigName"])
            variants = configuration.body["ProductionVariants"] if configuration else []
            running = {variant.name: variant for variant in status.variants} if status else {}
            found.append(
                {
                    "name": record.name,
                    "status": status.state if status else record.body["EndpointStatus"],
                    "failure_reason": status.failure_reason if status else "",
                    "variants": [
                        {
                            "name": variant["VariantName"],
                            "model": variant["ModelName"],
                            "replicas": getattr(running.get(variant["VariantName"]), "replicas", 0),
                        }
                        for variant in variants
                    ],
                }
            )
        return {"endpoints": found}

    async def invoke(self, request: Request) -> dict[str, Any]:
        given = request.body or {}
        body = self.catalogue.body(str(given.get("function", "")))
        payload, id = json.dumps(given.get("payload")).encode(), new_request_id()
        kind = given.get("type", "RequestResponse")
        if kind == "DryRun":
            return {"status": 204}
        if kind == "Event":
            source = {"kind": "invoke", "by": "alight invoke"}
            arn = body["Configuration"]["FunctionArn"]
            await self.database.write(lambda tx: self.queue.accept(tx, arn, payload, request_id=id, source=source))
            return {"status": 202, "event_id": id}
        outcome = await self.runner.request(body, Invocation(id, payload))
        return {
            "status": 200,
            "request_id": id,
            "function_error": outcome.function_error,
            "payload": decoded(outcome.payload),
            "log_tail": outcome.log_tail.decode("utf-8", "replace"),
        }

    async def apply_template(self, request: Request) -> dict[str, Any]:
        given = request.body or {}
        if not given.get("template"):
            raise AlightError("No template was named.")
        return await self.apply(Path(given["template"]), bool(given.get("plan_only")))

    async def logs(self, request: Request) -> AsyncIterator[dict[str, Any] | None]:
        start = positive(request.query, "start")
        await self.telemetry.flush()
        return self._lines(request.query, start)

    async def _lines(self, query: Any, start: float) -> AsyncIterator[dict[str, Any] | None]:
        """Lines so far in the order of time, then, where they are followed, new ones as they come, and None where there
        were none for a second: a Ctrl-C that comes right before its process waits for a line is seen with the next."""
        groups = [f"/aws/lambda/{query['function']}"] if query.get("function") else self._groups()
        newest = self.telemetry.last_log_id()
        if query.get("request_id"):
            rows = self.telemetry.logs(request_id=query["request_id"])
        else:
            rows = [row for group in groups for row in self.telemetry.logs(group, start=start)]
            rows.sort(key=lambda row: (row["ts"], row["id"]))
        for row in rows:
            yield _line(row)
        quiet = 0
        while query.get("follow"):
            await asyncio.sleep(FOLLOW)
            await self.telemetry.flush()
            groups = groups if query.get("function") else self._groups()
            fresh = [row for group in groups for row in self.telemetry.logs_since(group, newest)]
            for row in sorted(fresh, key=lambda row: row["id"]):
                newest = row["id"]
                yield _line(row)
            quiet = 0 if fresh or quiet == QUIET else quiet + 1
            if quiet == QUIET:
                yield None

    def _groups(self) -> list[str]:
        return [row["log_group"] for row in self.telemetry.groups()]

    async def _counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """The books, and the outbox by states. Counting looks at every row, so it is done apart from the loop."""

        def count(reader: Reader) -> tuple[dict[str, int], dict[str, int]]:
            return _books(reader), self.outbox.counts(reader)

        return await asyncio.to_thread(self.database.run_apart, count)


def _books(reader: Reader) -> dict[str, int]:
    books = journal.books(reader)
    return {
        "accepted": books.accepted,
        "pending": books.pending,
        "running": books.running,
        "succeeded": books.succeeded,
        "dead": books.dead,
    }


_FUNCTION_COLUMNS = {"name": "FunctionName", "runtime": "Runtime", "handler": "Handler", "timeout": "Timeout"}


def _warnings(functions: list[dict[str, Any]]) -> list[str]:
    """What is to be known of functions' packages although they were taken."""
    return [
        f"Function {body['Configuration']['FunctionName']}: {warning}"
        for body in functions
        for warning in body["Code"].get("Warnings", ())
    ]


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "timestamp": row["ts"],
        "group": row["log_group"],
        "stream": row["stream"],
        "request_id": row["request_id"],
        "message": row["message"],
    }
