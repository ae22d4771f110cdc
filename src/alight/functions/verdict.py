"""How a call ended, in one value: the answer or error document, and what the log says about it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from alight.functions import report
from alight.functions.invocation import Kind
from alight.functions.runtime_api import Answer

_KILLED = "Runtime exited with error: signal: killed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` and `error_type` go into the REPORT line; `reusable` says that the worker may take another call."""

    kind: Kind
    payload: bytes
    status: str = ""
    error_type: str = ""
    reusable: bool = False


def judge(answer: Answer, request_id: str) -> Verdict:
    """An answer is what the handler returned, if that can be an answer at all."""
    if answer.too_large:
        return Verdict("error", report.too_large_document())
    if answer.error:
        return Verdict("error", answer.payload, reusable=True)
    problem = _unfit(answer)
    if problem:
        document = report.error_document("Runtime.MarshalError", problem, request_id)
        return Verdict("error", document, reusable=True)
    return Verdict("ok", answer.payload, reusable=True)


def not_loaded(document: bytes) -> Verdict:
    """The child says why."""
    return Verdict("init", document, "error", report.error_type_of(document))


def not_started(request_id: str, reason: str) -> Verdict:
    """There is not even a process."""
    document = report.exit_document(request_id, reason, "Runtime.InvalidEntrypoint")
    return Verdict("init", document, "error", "Runtime.InvalidEntrypoint")


def exited(request_id: str, returncode: int, *, loaded: bool) -> Verdict:
    """The process has ended without an answer, be it with 0."""
    document = report.exit_document(request_id, report.exit_reason(returncode))
    return Verdict("crash" if loaded else "init", document, "error", "Runtime.ExitError")


def out_of_memory(request_id: str) -> Verdict:
    document = report.exit_document(request_id, _KILLED, "Runtime.OutOfMemory")
    return Verdict("oom", document, "error", "Runtime.OutOfMemory")


def timed_out(request_id: str, seconds: float) -> Verdict:
    return Verdict("timeout", report.timeout_document(request_id, seconds), "timeout")


def killed(request_id: str) -> Verdict:
    """Stopped from outside."""
    return Verdict("killed", report.exit_document(request_id, _KILLED), "error", "Runtime.ExitError")


def _unfit(answer: Answer) -> str:
    """Why the answer is not JSON; only looked into where it may not be."""
    suspicious = b"NaN" in answer.payload or b"Infinity" in answer.payload
    if not suspicious and answer.content_type != "application/unknown":
        return ""
    try:
        json.loads(answer.payload, parse_constant=_refuse_constant)
    except ValueError as error:
        return f"Unable to marshal response: {error}"
    return ""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"Out of range float values are not JSON compliant: {name}")
