"""The story of one event: what caused it, every attempt with its calls and log lines, and whom it told.

Nothing here is kept apart for telling: the queue, the outbox and telemetry each hold their part under the same
request id, and the story joins them.
"""

from __future__ import annotations

from typing import Any

from alight.admin.http import NotFound
from alight.apis.ids import long_id
from alight.errors.store import Damaged
from alight.names import without_password
from alight.parsed import parsed
from alight.store import journal
from alight.store.database import Database
from alight.store.journal import AttemptRecord, Event
from alight.store.outbox import OutboxStore, StoredMessage, text_of
from alight.store.rows import row_number
from alight.store.telemetry import Telemetry

Json = dict[str, Any]

#: How the step of a request to a deployed API begins.
API_CALL = ("execute-api ", "lambda-url ")


class Stories:
    """Answers `explain`, `events show` and the event list."""

    def __init__(self, database: Database, outbox: OutboxStore, telemetry: Telemetry) -> None:
        self._database = database
        self._outbox = outbox
        self._telemetry = telemetry

    async def explain(self, id: str) -> Json:
        """`id` may be an event's, a request's, a message's or a delivery's."""
        await self._telemetry.flush()
        event_id = self._event_of(long_id(id) or id)
        event = self._event(event_id)
        spans = self._telemetry.spans(request_id=event_id)
        if event is None and not spans:
            raise NotFound(f"Nothing is known of {id}.", "alight events list shows ids.")
        return {
            "event": event_summary(event) if event else {"id": event_id, "state": "synchronous"},
            "steps": self._steps(event_id, event, spans),
            "messages": [row for message in self._outbox.messages_of_event(event_id) for row in self._told(message)],
            "logs": [
                {"timestamp": row["ts"], "message": row["message"]}
                for row in self._telemetry.logs(request_id=event_id, limit=1000)
            ],
        }

    def show(self, id: str) -> Json:
        """One event with payload, result and attempts."""
        event = self._event(id)
        if event is None:
            raise NotFound(f"There is no event {id}.", "alight events list shows ids.")
        history = [attempt_summary(item) for item in journal.attempts(self._database.read(), id)]
        payload, result = decoded(event.payload), decoded(event.result)
        return event_summary(event) | {"history": history, "payload": payload, "result": result}

    def _event(self, id: str) -> Event | None:
        """Of a damaged one what its row says, without payload and result."""
        reader = self._database.read()
        try:
            return journal.get(reader, id)
        except Damaged:
            return next(iter(journal.some(reader, [id])), None)

    def _event_of(self, id: str) -> str:
        message = self._outbox.message(id)
        if message is None and (number := row_number(id)) is not None:
            delivery = self._outbox.delivery(number)
            message = self._outbox.message(delivery.message_id) if delivery else None
        return (message.event_id or id) if message else id

    def _steps(self, request_id: str, event: Event | None, spans: list[Json]) -> list[Json]:
        steps = [
            {
                "at": span["start"],
                "what": span["name"],
                "detail": _detail(span["attributes"]),
                "duration": span["end"] - span["start"],
            }
            for span in spans
        ]
        if event is None:
            return self._waited_for(request_id, steps)
        attempts = journal.attempts(self._database.read(), event.id)
        steps = sorted(steps + self._starts(event.id), key=lambda step: float(step["at"]))
        return [
            {
                "at": attempt.started,
                "what": f"attempt {number}: {attempt.outcome}",
                "status": "ok" if attempt.outcome == "ok" else "dead",
                "detail": (attempt.error or {}).get("errorMessage", ""),
                "duration": attempt.ended - attempt.started,
                "steps": [step for step in steps if attempt.started <= step["at"] <= attempt.ended],
            }
            for number, attempt in enumerate(attempts, 1)
        ]

    def _starts(self, event_id: str) -> list[Json]:
        """The starts of workers that this event had to wait for: AWS's Init, in which no call is made."""
        return [
            {"at": run["started"], "what": "start of a worker", "detail": "", "duration": run["init_ms"] / 1000}
            for run in self._telemetry.invocations(event_id=event_id)
            if run["init_ms"]
        ]

    def _waited_for(self, request_id: str, steps: list[Json]) -> list[Json]:
        """What somebody waited for: the API call, if it was one, with the runs that it caused and their calls."""
        calls = [step for step in steps if step["what"].startswith(API_CALL)]
        others = [step for step in steps if step not in calls]
        runs = [
            {
                "at": run["started"],
                "what": f"function {run['function']}: {run['outcome']}",
                "status": "ok" if run["outcome"] == "ok" else "dead",
                "detail": run["error"],
                "duration": run["ended"] - run["started"],
                "steps": [step for step in others if run["started"] <= step["at"] <= run["ended"]],
            }
            for run in self._telemetry.invocations(request_id=request_id)
        ]
        inside = [step for run in runs for step in run["steps"]]
        caused = sorted(runs + [step for step in others if step not in inside], key=lambda step: float(step["at"]))
        return [call | {"steps": caused} for call in calls] or caused

    def _told(self, message: StoredMessage) -> list[Json]:
        def shown(protocol: str) -> Json:
            return {"created": message.published, "body": text_of(message.body, message.structure, protocol)}

        rows = [
            shown(item.protocol)
            | {
                "protocol": item.protocol,
                "target": without_password(item.target),
                "state": item.state,
                "last_error": item.last_error,
            }
            | {"attempts": item.attempts, "finished": item.finished}
            for item in self._outbox.deliveries_of(message.id)
        ]
        return rows or [shown("") | {"protocol": "topic", "target": message.topic, "state": message.state}]


def event_summary(event: Event) -> Json:
    """An event as the command line shows it: times in seconds since 1970."""
    return {
        "id": event.id,
        "state": event.state.value,
        # Of an endpoint's inference, the endpoint.
        "function": event.function.partition(":function:")[2] or event.function.rpartition(":")[2],
        "attempts": event.attempts,
        "accepted": event.accepted,
        "not_before": event.not_before,
        "finished": event.finished,
        "source": event.source,
        "error": _error(event.error),
    }


def attempt_summary(attempt: AttemptRecord) -> Json:
    return {
        "started": attempt.started,
        "ended": attempt.ended,
        "outcome": attempt.outcome,
        "request_id": attempt.request_id,
        "error": _error(attempt.error),
    }


def _error(error: Json | None) -> Json | None:
    if error is None:
        return None
    kind = " ".join(str(error[name]) for name in ("reason", "errorType") if error.get(name))
    return {"type": kind or "error", "message": error.get("errorMessage", ""), "trace": error.get("stackTrace", [])}


def decoded(body: bytes | None) -> Any:
    """What a function was given or answered, for people: JSON, or text."""
    try:
        return parsed(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace") if body else None


def _detail(attributes: Json) -> str:
    return " ".join(f"{name}={value}" for name, value in attributes.items() if name != "needs")
