"""Who is told of the end of an asynchronous invocation: OnSuccess and OnFailure, and the function's dead-letter queue.

What is sent is made on the event loop and leaves in the transaction that records the end, so that a retry or a crash
never tells twice. A target that cannot be told keeps nothing from ending: it is logged and counted, as on AWS.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from alight import names
from alight.clock import iso_millis
from alight.errors import Fault
from alight.events.ended import Deed, Ended, Tell
from alight.parsed import parsed
from alight.services.lambda_ import definitions
from alight.services.lambda_.destination_rules import ACTIONS, RoleMay
from alight.store.database import Tx
from alight.store.telemetry import Telemetry

log = logging.getLogger(__name__)

#: Bytes that a target takes; what is longer cannot be told.
LIMITS = {"sns": 256 * 1024, "sqs": 1024 * 1024, "lambda": 1024 * 1024}
#: Functions that may tell each other in a row, as on AWS; more are a loop without an end.
MOST_HOPS = 16
#: Characters of an error message that a dead letter carries.
ERROR_CHARACTERS = 1024

Row = dict[str, Any]


class Send(Protocol):
    """Puts a text into a queue, a topic or a function's events. Raises the service's fault where that is gone."""

    def __call__(self, tx: Tx, target: str, body: str, attributes: Mapping[str, tuple[str, str]], source: Row) -> None:
        """`attributes` are name -> (data type, text); `source` says what caused it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes to one target (an ARN), and why."""

    target: str
    body: str
    cause: str
    attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def service(self) -> str:
        return names.parse_arn(self.target).service


class Destinations:
    """Gives the dispatcher what to do at the end of a function's events."""

    def __init__(self, send: Send, role_may: RoleMay, telemetry: Telemetry) -> None:
        self._send = send
        self._role_may = role_may
        self._telemetry = telemetry

    def tell_of(self, body: Row) -> Tell | None:
        """For a function's record; None where nobody wants to know."""
        wanted = (body["EventInvoke"] or {}).get("DestinationConfig") or {}
        dead_letters = body["Configuration"].get("DeadLetterConfig")
        if not any(wanted.values()) and not dead_letters:
            return None
        return lambda ended: self._prepare(body, ended)

    def _prepare(self, body: Row, ended: Ended) -> Deed:
        letters = [letter for letter in _letters(body, ended) if self._can_go(body, letter, ended)]

        def post(tx: Tx) -> None:
            for letter in letters:
                self._post(tx, letter, body, ended)

        return post

    def _can_go(self, body: Row, letter: Letter, ended: Ended) -> bool:
        role = definitions.role_name(body["Configuration"]["Role"])
        if not self._role_may(role, ACTIONS[letter.service], letter.target):
            self._failed(body, letter, f"the role {role} does not have permission for {ACTIONS[letter.service]}")
        elif len(letter.body.encode()) > LIMITS[letter.service]:
            self._failed(body, letter, f"it is longer than {LIMITS[letter.service]} bytes")
        elif letter.service == "lambda" and _hops(ended) > MOST_HOPS and not definitions.may_loop(body):
            self._failed(body, letter, f"{MOST_HOPS} functions have told each other in a row: that is a loop")
            self._telemetry.metric(
                "AWS/Lambda",
                "RecursiveInvocationsDropped",
                1.0,
                {"FunctionName": body["Configuration"]["FunctionName"]},
            )
        else:
            return True
        return False

    def _post(self, tx: Tx, letter: Letter, body: Row, ended: Ended) -> None:
        name = body["Configuration"]["FunctionName"]
        source = {
            "kind": "destination",
            "function": name,
            "condition": ended.condition,
            "of": ended.event.id,
            "hop": _hops(ended),
        }
        try:
            self._send(tx, letter.target, letter.body, letter.attributes, source)
        except Fault as fault:
            message = fault.message
            tx.after_commit(lambda: self._failed(body, letter, message))
            return
        tx.after_commit(lambda: self._sent(letter, ended))

    def _sent(self, letter: Letter, ended: Ended) -> None:
        """A step of the event's story."""
        id, moment = ended.event.id, ended.moment
        self._telemetry.span(
            id, f"lambda {letter.cause}", moment, moment, event_id=id, condition=ended.condition, target=letter.target
        )

    def _failed(self, body: Row, letter: Letter, why: str) -> None:
        name = body["Configuration"]["FunctionName"]
        log.warning("%s of %s did not reach %s: %s", letter.cause, name, letter.target, why)
        metric = "DeadLetterErrors" if letter.attributes else "DestinationDeliveryFailures"
        for place in ({}, {"FunctionName": name}):
            self._telemetry.metric("AWS/Lambda", metric, 1.0, place, unit="Count")


def _hops(ended: Ended) -> int:
    """How many functions have been told in a row, each of the one before, with the next one."""
    return int(ended.event.source.get("hop", 0)) + 1


def _letters(body: Row, ended: Ended) -> list[Letter]:
    letters = []
    wanted = (body["EventInvoke"] or {}).get("DestinationConfig") or {}
    side = "OnSuccess" if ended.succeeded else "OnFailure"
    if target := wanted.get(side, {}).get("Destination"):
        letters.append(Letter(target, json.dumps(record_of(ended)), side))
    dead_letters = body["Configuration"].get("DeadLetterConfig")
    if dead_letters and not ended.succeeded:
        payload = ended.event.payload.decode("utf-8", "replace")
        letters.append(Letter(dead_letters["TargetArn"], payload, "DeadLetterConfig", attributes_of(ended)))
    return letters


def record_of(ended: Ended) -> Row:
    """The invocation record that a destination gets. What the function answered stands in it as JSON."""
    event = ended.event
    # An ARN without a qualifier has seven parts.
    qualified = event.function if event.function.count(":") > 6 else f"{event.function}:$LATEST"
    record: Row = {
        "version": "1.0",
        "timestamp": iso_millis(ended.moment),
        "requestContext": {
            "requestId": event.id,
            "functionArn": qualified,
            "condition": ended.condition,
            "approximateInvokeCount": ended.attempts,
        },
        "requestPayload": _json(event.payload),
    }
    if ended.payload is None:
        return record
    context: Row = {"statusCode": 200, "executedVersion": ended.version}
    if not ended.succeeded:
        context["functionError"] = "Unhandled"
    return record | {"responseContext": context, "responsePayload": _json(ended.payload)}


def attributes_of(ended: Ended) -> dict[str, tuple[str, str]]:
    """What a dead letter says beside the event's payload."""
    answer = _json(ended.payload) if ended.payload is not None else None
    message = str(answer.get("errorMessage", "")) if isinstance(answer, dict) else ""
    return {
        "RequestID": ("String", ended.event.id),
        "ErrorCode": ("Number", "200" if ended.payload is not None else "429"),
        "ErrorMessage": ("String", message[:ERROR_CHARACTERS] or ended.condition),
    }


def _json(payload: bytes) -> Any:
    try:
        return parsed(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
