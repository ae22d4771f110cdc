"""What the dispatcher and those who run events tell each other: what a function can take, how an attempt ended."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from alight.events.ended import Deed, Ended, Tell
from alight.store.database import Tx
from alight.store.journal import AttemptRecord, Event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """What the dispatcher must know of a function: how many events it can take now, and its retry policy.

    `disabled` holds the reason why no event may ever run (reserved concurrency 0). `tell` is there where somebody wants
    to know of the end of its events. `rings`: whoever runs them calls `freed` as each call ends.
    """

    free: int
    delays: tuple[float, ...] = (60.0, 120.0)
    disabled: str = ""
    tell: Tell | None = None
    rings: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How one invocation ended. `outcome` is `ok`, or the kind of error; `error` is Lambda's error payload,
    `version` what ran. `turned_away`: this side had no room for something that it asked for, so its failure is none."""

    outcome: str
    payload: bytes
    request_id: str
    started: float
    ended: float
    version: str = "$LATEST"
    turned_away: bool = False


class Throttled(Exception):
    """The function had no free worker after all."""


def nothing(tx: Tx) -> None:
    """Nobody wants to know."""


def told(target: Target, event: Event, condition: str, result: Result | None, now: float) -> Deed:
    """What is to be done for those who want to know. A telling that cannot be prepared must not undo the end."""
    if target.tell is None:
        return nothing
    attempts = event.attempts + (result is not None)
    payload, moment = (result.payload, result.ended) if result else (_last_error(event), now)
    version = result.version if result else "$LATEST"
    try:
        return target.tell(Ended(event, condition, attempts, payload, moment, version))
    except Exception:
        log.exception("nobody is told of the end of event %s", event.id)
        return nothing


def _last_error(event: Event) -> bytes | None:
    """What the attempt before answered, where this end came without one."""
    if not event.attempts or event.error is None:
        return None
    return json.dumps({name: value for name, value in event.error.items() if name != "outcome"}).encode()


def not_invoked(event: Event, error: Exception, started: float, ended: float) -> Result:
    """A failed attempt whose reason is on this side: the function has gone, or cannot be started."""
    return Result("error", json.dumps(described(error)).encode(), event.id, started, ended)


def described(error: Exception) -> dict[str, Any]:
    """In the form of Lambda's error object."""
    return {"errorType": type(error).__name__, "errorMessage": str(error)}


def record(event: Event, result: Result) -> AttemptRecord:
    failed = result.outcome != "ok"
    return AttemptRecord(
        event_id=event.id,
        fence=event.fence,
        request_id=result.request_id,
        started=result.started,
        ended=result.ended,
        outcome=result.outcome,
        error=error_of(result) if failed else None,
    )


def error_of(result: Result) -> dict[str, Any]:
    """Lambda's error object, or what there is of it."""
    try:
        payload = json.loads(result.payload)
    except (ValueError, RecursionError):
        payload = None
    known = payload if isinstance(payload, dict) else {"errorMessage": result.payload.decode("utf-8", "replace")}
    return {"outcome": result.outcome} | known
