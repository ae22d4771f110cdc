"""What travels through this room: the function, one call of it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

#: Bytes of the largest payload that a synchronous invocation may return (6 MB and Lambda's 100 bytes of slack).
RESPONSE_LIMIT = 6 * 1024 * 1024 + 100

#: Bytes of a payload that may stay in memory with a worker that idles.
SMALL = 4 * 1024

Kind = Literal["ok", "error", "timeout", "oom", "init", "crash", "killed"]


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One configuration of one function; workers are shared only between equal ones. `compiled` says of the packages
    in its code for which Python they were built (see `binaries`), `seals` what its folders have to hold (see `seal`).

    `timeout` in seconds, `memory_mb` and `ephemeral_mb` in MiB; `role` is the role's name; `reserved` is the
    function's own concurrency limit (None: only the pool's); `opt` holds its layers.
    """

    name: str
    arn: str
    version: str
    code_dir: Path
    venv: Path | None
    handler: str
    runtime: str
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3.0
    memory_mb: int = 128
    role: str = ""
    log_group: str = ""
    reserved: int | None = None
    ephemeral_mb: int = 512
    opt: Path | None = None
    compiled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seals: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call. `event_id`, `fence` and `staged` are carried for whoever asks what a worker is busy with.

    `client_context` is JSON text (the Invoke API carries its base64). `function_arn` is the ARN that was called, where
    it is another than the worker's own: an alias, or `$LATEST` by name.
    """

    request_id: str
    payload: bytes
    event_id: str | None = None
    fence: int = 0
    staged: bool = False
    client_context: str | None = None
    trace_id: str | None = None
    function_arn: str = ""
    chain: str = ""

    def bare(self) -> Invocation:
        """The same, to be remembered: without its payload, where that is worth the room."""
        if len(self.payload) <= SMALL:
            return self
        return Invocation(
            self.request_id,
            b"",
            self.event_id,
            self.fence,
            self.staged,
            self.client_context,
            self.trace_id,
            self.function_arn,
            self.chain,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call.

    `payload` is the function's answer, or Lambda's error document where `function_error` is set. `log_tail` are
    the last 4 KB of the log. `init_ms` is there for the call that started the worker. `kind` says how it ended:
    the handler answered (ok) or raised (error), ran out of time or memory, could not be loaded (init), its
    process ended without an answer (crash), or it was stopped from outside (killed).
    """

    payload: bytes
    function_error: str | None
    kind: Kind
    log_tail: bytes
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    max_memory_mb: int
    log_stream: str
    version: str


class Throttled(Exception):
    """No slot is free, and the caller did not want to wait."""

    def __init__(self, function: str, *, reserved: bool) -> None:
        self.function = function
        self.reserved = reserved
        super().__init__(f"{function}: no slot is free")


class PoolClosed(Exception):
    """The pool is being closed: nothing is started any more."""
