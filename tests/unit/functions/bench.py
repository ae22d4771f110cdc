"""What the tests of functions share: a pool, its log, and short ways to make functions and call them."""

from __future__ import annotations

import asyncio
import json
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alight.functions.invocation import FunctionSpec, Invocation, Outcome
from alight.functions.pool import FunctionPool
from alight.names import function_arn, new_request_id


def answer(outcome: Outcome) -> Any:
    """What the handler returned."""
    assert outcome.kind == "ok", outcome
    assert outcome.function_error is None
    return json.loads(outcome.payload)


def error(outcome: Outcome) -> Any:
    """The error document of a call that failed."""
    assert outcome.function_error == "Unhandled", outcome
    return json.loads(outcome.payload)


@dataclass
class Bench:
    """One pool, the lines it logged, and short ways to make functions and call them."""

    folder: Path
    pool: FunctionPool
    lines: list[tuple[str, str, float, str, str]] = field(default_factory=list)

    def code(self, source: str, name: str = "code", file: str = "app.py") -> Path:
        """Write `source` as one module of a function's code; returns the code folder."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(textwrap.dedent(source))
        return folder

    def spec(self, source: str, **more: Any) -> FunctionSpec:
        """A function of 10 s and 256 MB whose module `app` is `source`."""
        name = more.pop("name", "birds")
        members: dict[str, Any] = {
            "name": name,
            "arn": function_arn(name),
            "version": "$LATEST",
            "code_dir": self.code(source, name=f"code-{name}"),
            "venv": None,
            "handler": "app.handler",
            "runtime": "python3.11",
            "timeout": 10.0,
            "memory_mb": 256,
            "role": "birds-role",
            "log_group": f"/aws/lambda/{name}",
        }
        return FunctionSpec(**(members | more))

    async def call(self, spec: FunctionSpec, payload: bytes = b"{}", **more: Any) -> Outcome:
        return await self.pool.invoke(spec, Invocation(more.pop("request_id", new_request_id()), payload, **more))

    def messages(self, request_id: str | None = None) -> list[str]:
        return [message for *_, message, owner in self.lines if request_id is None or owner == request_id]


def fake_credentials(spec: FunctionSpec, worker_id: str) -> Mapping[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "ASIA" + worker_id[:16].upper(),
        "AWS_SECRET_ACCESS_KEY": "secret-of-" + worker_id,
        "AWS_SESSION_TOKEN": "token-of-" + spec.role,
    }


#: Waits until the file that the event names is there; so tests decide when it ends.
GATED = """
import os, time

def handler(event, context):
    open(event["gate"] + ".begun", "w").close()
    while not os.path.exists(event["gate"]):
        time.sleep(0.002)
    return event.get("say")
"""


class Gate:
    """A file for which a handler waits."""

    def __init__(self, folder: Path, name: str = "gate") -> None:
        self.path = folder / name
        self.begun = folder / f"{name}.begun"

    def payload(self, say: object = None) -> bytes:
        return json.dumps({"gate": str(self.path), "say": say}).encode()

    def open(self) -> None:
        self.path.touch()


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)
