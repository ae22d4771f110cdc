"""The bottom floor: the data folder and everything that is kept in it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from alight import credentials
from alight.clock import Clock
from alight.credentials import Credentials
from alight.settings import Settings
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.records import Records
from alight.store.telemetry import Telemetry

#: Folder of objects that were copied out to be unpacked.
FETCHED = "fetched"
#: Folder of the functions' code.
FUNCTIONS = "functions"
#: Folder of unpacked model packages.
MODELS = "models"


@dataclass(slots=True)
class Address:
    """How this instance is reached; known only once it listens, so it is handed over as a callable."""

    settings: Settings
    port: int = 0
    since: float = 0.0
    #: The port of the plain socket on loopback, beside one with TLS.
    inner: int = 0

    def local(self) -> str:
        """For what runs on this machine: workers, the command line."""
        return f"http://127.0.0.1:{self.inner}" if self.inner else self.outer()

    def outer(self) -> str:
        """The socket that was asked for."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.settings.host, self.settings.host)
        return f"{'https' if self.settings.tls_cert else 'http'}://{host}:{self.port}"

    def public(self) -> str:
        """What is put into links that leave the machine."""
        return self.settings.public_url.rstrip("/") or self.outer()


@dataclass(frozen=True, slots=True)
class Store:
    """The bottom floor: what survives."""

    settings: Settings
    clock: Clock
    keys: Credentials
    database: Database
    records: Records
    objects: ObjectStore
    telemetry: Telemetry
    address: Address


async def open_store(settings: Settings, clock: Clock, exits: AsyncExitStack) -> Store:
    database = await Database.open(settings.data, clock)
    exits.push_async_callback(database.close)
    telemetry = await Telemetry.open(settings.data, clock)
    exits.push_async_callback(telemetry.close)
    objects = ObjectStore(database, settings.data)
    exits.callback(objects.close)
    keys = await asyncio.to_thread(credentials.load_or_create, settings.data)
    return Store(settings, clock, keys, database, Records(database), objects, telemetry, Address(settings))
