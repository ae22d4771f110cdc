"""A real socket around a `Gateway` with tiny handlers, for clients that are not ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from alight.calls import Handler, Principal
from alight.clock import SystemClock
from alight.gateway.asgi import Gateway
from alight.gateway.server import Limits, Server, serve
from alight.gateway.signature import Key
from alight.store.checksums import checksum

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


@contextmanager
def served(app: Any, limits: Limits | None = None) -> Iterator[int]:
    """Serve in a thread with a loop of its own; yields the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server: Server = asyncio.run_coroutine_threadsafe(serve(app, limits=limits), loop).result(20)
    try:
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(0.5), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


def client(service: str, port: int, **options: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, **options.pop("config", {}))
    return boto3.session.Session().client(
        service,
        endpoint_url=options.pop("endpoint_url", f"http://127.0.0.1:{port}"),
        region_name="us-east-1",
        aws_access_key_id=options.pop("access_key", ACCESS_KEY),
        aws_secret_access_key=options.pop("secret_key", SECRET_KEY),
        config=config,
        **options,
    )
