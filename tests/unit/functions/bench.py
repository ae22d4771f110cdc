"""What the tests of functions share: a pool, its log, and short ways to make functions and call them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
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
