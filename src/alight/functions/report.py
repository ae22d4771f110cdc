"""The words of Lambda: START, END and REPORT lines, error documents, names of log streams, how processes end."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Sequence
from datetime import UTC, datetime

_SIGNALS = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
    signal.SIGTERM: "terminated",
    signal.SIGINT: "interrupt",
    signal.SIGHUP: "hangup",
    signal.SIGPIPE: "broken pipe",
}


def stream_name(moment: float, version: str, token: str) -> str:
    """`2026/01/02/[$LATEST]<32 hex>`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y/%m/%d}/[{version}]{token}"


def init_start_line(version: str) -> str:
    return f"INIT_START Runtime Version: {version}"


def init_report_line(init_ms: float, status: str, error_type: str = "") -> str:
    line = f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: init\tStatus: {status}"
    return f"{line}\tError Type: {error_type}" if error_type else line


def start_line(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}"


def end_line(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def billed(duration_ms: float, init_ms: float | None) -> int:
    """Whole milliseconds, the start of the worker included."""
    return math.ceil(duration_ms + (init_ms or 0.0))


def report_line(
    request_id: str,
    *,
    duration_ms: float,
    init_ms: float | None,
    memory_mb: int,
    used_mb: int,
    status: str = "",
    error_type: str = "",
) -> str:
    """Fields are parted by tabs, with a tab at the end, as log parsers expect."""
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed(duration_ms, init_ms)} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {used_mb} MB",
    ]
    if init_ms is not None:
        fields.append(f"Init Duration: {init_ms:.2f} ms")
    if status:
        fields.append(f"Status: {status}")
    if error_type:
        fields.append(f"Error Type: {error_type}")
    return "\t".join([*fields, ""])


def timeout_line(moment: float, request_id: str, seconds: float) -> str:
    at = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{at} {request_id} Task timed out after {seconds:.2f} seconds"


def timeout_document(request_id: str, seconds: float) -> bytes:
    return _document("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds")


def exit_document(request_id: str, reason: str, error_type: str = "Runtime.ExitError") -> bytes:
    return _document(error_type, f"RequestId: {request_id} Error: {reason}")


def too_large_document() -> bytes:
    message = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    return _document("Function.ResponseSizeTooLarge", message)


def error_document(error_type: str, message: str, request_id: str, trace: Sequence[str] = ()) -> bytes:
    """The error as a Python runtime words it."""
    members = {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": list(trace)}
    return json.dumps(members).encode()


def error_type_of(document: bytes) -> str:
    """`errorType` of an error document, or nothing where it has none."""
    try:
        found = json.loads(document)
    except ValueError:
        return ""
    return str(found.get("errorType") or "") if isinstance(found, dict) else ""


def exit_reason(returncode: int) -> str:
    """How a process ended, from `Popen.returncode`."""
    if returncode == 0:
        return "Runtime exited without providing a reason"
    if returncode > 0:
        return f"Runtime exited with error: exit status {returncode}"
    number = -returncode
    known = _SIGNALS.get(signal.Signals(number)) if number in signal.valid_signals() and number < 32 else None
    return f"Runtime exited with error: signal: {known or number}"


def _document(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":")).encode()
