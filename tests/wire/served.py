"""A real socket around a `Gateway` with tiny handlers, for clients that are not ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import boto3
import pytest
from botocore.config import Config

from alight.calls import Handler, Principal
from alight.clock import SystemClock
from alight.gateway.asgi import Gateway
from alight.gateway.server import Limits, serve
from alight.gateway.signature import Key
from alight.store.checksums import checksum
from tests.support import clean_environment

T = TypeVar("T")

#: Both versions of the aws command line, for `params` of a fixture.
AWS_PROGRAMS = [
    pytest.param("aws", marks=pytest.mark.tool("aws")),
    pytest.param("aws2", marks=pytest.mark.tool("aws2")),
]

ACCESS_KEY = "AKIATESTTESTTESTTEST"
SECRET_KEY = "secret/with+signs"
ROOT = Principal("root", "arn:aws:iam::000000000000:root", "ROOT")


def keys(access_key_id: str, token: str | None) -> Key | None:
    """One long-lived key, and session keys whose token is `session-token`."""
    if access_key_id == ACCESS_KEY and token is None:
        return Key(SECRET_KEY, ROOT)
    if access_key_id == "ASIASESSION" and token == "session-token":
        return Key("session-secret", Principal("role", "arn:aws:sts::000000000000:assumed-role/r/s", "AROA", "r", "w"))
    return None


def gateway(operations: dict[tuple[str, str], Handler], **options: Any) -> Gateway:
    return Gateway(operations=operations, keys=keys, clock=SystemClock(), digest=checksum, **options)


class Run(Protocol):
    """Runs a coroutine in a loop elsewhere and waits for what it returns."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


@contextmanager
def loop_in_a_thread() -> Iterator[Run]:
    """A loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, T], /) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    try:
        yield run
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


@contextmanager
def served(app: Any, limits: Limits | None = None) -> Iterator[int]:
    """Serve in a thread with a loop of its own; yields the port."""
    with loop_in_a_thread() as run:
        server = run(serve(app, limits=limits))
        try:
            yield server.port
        finally:
            run(server.stop(0.5))


def aws_environment(home: Path, **more: str) -> dict[str, str]:
    """For the aws command line: the key of `keys`, and nobody's settings."""
    return clean_environment(
        HOME=str(home),
        LANG="C.UTF-8",
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_MAX_ATTEMPTS="1",
        **more,
    )


def client(service: str, port: int, **options: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, **options.pop("config", {}))
    return _session().client(
        service,
        endpoint_url=options.pop("endpoint_url", f"http://127.0.0.1:{port}"),
        region_name="us-east-1",
        aws_access_key_id=options.pop("access_key", ACCESS_KEY),
        aws_secret_access_key=options.pop("secret_key", SECRET_KEY),
        config=config,
        **options,
    )


@cache
def _session() -> boto3.session.Session:
    """One for all tests of a process: each session reads the services' models anew."""
    return boto3.session.Session()
