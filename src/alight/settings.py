"""One frozen Settings: `alight.toml` beside the template, then `ALIGHT_*` of the environment, then flags.

A key that nobody knows is refused with its file, never ignored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alight.errors import AlightError

ENVIRONMENT_PREFIX = "ALIGHT_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default; `docs/reference/settings.md` says the same in words."""

    #: Folder of everything that survives a restart.
    data: Path = Path(".alight")
    host: str = "127.0.0.1"
    #: 0 picks a free one.
    port: int = 4566
    #: Files with a certificate (and its chain) and its key, in PEM: with them, the address speaks TLS.
    tls_cert: str = ""
    tls_key: str = ""
    #: Plain HTTP may be reached from other machines.
    insecure: bool = False
    #: How others reach this instance; used for links that leave the machine, and allowed as Host.
    public_url: str = ""
    #: Further Host names that are let in.
    allowed_hosts: tuple[str, ...] = ()
    #: Seconds between the attempts of an asynchronous invocation.
    retry_delays: tuple[float, ...] = (60.0, 120.0)
    #: Seconds after which an event that was not handled is given up.
    max_event_age: float = 21_600.0
    #: Workers at a time over all functions; 0 means twice the cores.
    concurrency: int = 0
    #: Seconds without work after which a worker is stopped.
    idle_timeout: float = 300.0
    #: Replicas of an endpoint whose configuration asks for one; 0 means one per core.
    replicas: int = 0
    #: The fence around functions and models: auto, none, landlock or seccomp.
    worker_sandbox: str = "auto"
    #: Folders beyond the fence that all of them may read and write.
    worker_paths: tuple[str, ...] = ()
    #: The calls of workers' boto3 to Alight itself skip what these do not need.
    quick_boto3: bool = True
    #: Private addresses that webhooks may reach.
    webhook_allow: tuple[str, ...] = ()
    #: `smtp://user:password@host:port` or `smtps://`; empty keeps emails in the outbox.
    smtp_url: str = ""
    smtp_from: str = "alight@localhost"
    #: A gateway in apprise's notation, `{phone}` standing for the number; empty keeps messages in the outbox.
    sms_url: str = ""
    #: The console shows and changes nothing.
    console_read_only: bool = False
    #: Days that logs, metrics and stories are kept.
    retention_days: float = 30.0


def load_settings(folder: Path | None = None, environment: Mapping[str, str] = os.environ, **flags: Any) -> Settings:
    """Read `folder/alight.toml` where it exists, then the environment, then `flags` that are not None.

    Raises `AlightError` for an unknown key or a value that cannot be read.
    """
    values: dict[str, Any] = {}
    path = folder / "alight.toml" if folder else None
    if path and path.exists():
        values |= _from_toml(path)
    values |= _from_environment(environment)
    values |= {name: value for name, value in flags.items() if value is not None}
    return replace(Settings(), **values)


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        given = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise AlightError(f"{path} cannot be read: {error}.") from None
    known = {item.name for item in fields(Settings)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise AlightError(f"{path} has an unknown setting: {unknown[0]}.", f"Known: {', '.join(sorted(known))}.")
    return {name: _coerce(name, value, str(path)) for name, value in given.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for item in fields(Settings):
        text = environment.get(ENVIRONMENT_PREFIX + item.name.upper())
        if text is not None:
            values[item.name] = _coerce(item.name, text, ENVIRONMENT_PREFIX + item.name.upper())
    return values


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(float(part) for part in (value.split(",") if isinstance(value, str) else value) if part != "")


def _strings(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _yes(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("1", "0", "true", "false", "yes", "no"):
        raise ValueError(text)
    return text in ("1", "true", "yes")


_READERS: dict[str, Callable[[Any], Any]] = {
    "data": Path,
    "port": int,
    "concurrency": int,
    "replicas": int,
    "max_event_age": float,
    "idle_timeout": float,
    "retention_days": float,
    "console_read_only": _yes,
    "insecure": _yes,
    "quick_boto3": _yes,
    "retry_delays": _numbers,
    "webhook_allow": _strings,
    "worker_paths": _strings,
    "allowed_hosts": _strings,
}


def _coerce(name: str, value: Any, where: str) -> Any:
    try:
        return _READERS.get(name, str)(value)
    except (TypeError, ValueError):
        raise AlightError(f"{where}: {value!r} is not a value for {name}.") from None


def masked(settings: Settings) -> dict[str, Any]:
    """The settings in force, without what opens somebody's gateway."""
    shown: dict[str, Any] = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.name == "smtp_url" and value:
            parts = urlsplit(value)
            value = f"{parts.scheme}://{'***@' if parts.username else ''}{parts.hostname or ''}:{parts.port or ''}"
        elif item.name == "sms_url" and value:
            value = f"{value.partition(':')[0]}://***"
        shown[item.name] = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    return shown
