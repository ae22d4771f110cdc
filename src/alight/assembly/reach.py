"""Who can reach the sockets: this machine, and beyond it whoever `--host` lets in, by TLS or by an explicit word.

With TLS there are two: the one that was asked for, and a plain one on loopback for workers and the command line, which
no certificate for another name has to be good for.
"""

from __future__ import annotations

import ssl
from collections import Counter
from contextlib import AsyncExitStack

from alight.asgi import ASGIApp
from alight.assembly.store import Store
from alight.errors import AlightError
from alight.gateway.server import Server, serve
from alight.notifications.channels.addresses import is_loopback
from alight.settings import Settings

LOOPBACK = "127.0.0.1"


def check_reach(settings: Settings) -> str:
    """What has to be said at every start, or nothing. Raises `AlightError` where others would reach plain HTTP and
    nobody has said that they may."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise AlightError("TLS needs a certificate and its key.", "Give both --tls-cert and --tls-key.")
    if settings.tls_cert or is_loopback(settings.host):
        return ""
    if not settings.insecure:
        raise AlightError(
            f"{settings.host} can be reached from other machines, and without TLS whoever is on the way reads along.",
            "Give --tls-cert and --tls-key, listen on 127.0.0.1 behind a proxy, or say --insecure.",
        )
    return (
        f"Insecure: plain HTTP on {settings.host}. What is sent can be read and repeated by whoever is on the way; "
        "--tls-cert and --tls-key put an end to that."
    )


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """The context of the outer socket. Raises `AlightError` for files that are no certificate and key."""
    if not settings.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise AlightError(
            f"{settings.tls_cert} and {settings.tls_key} are no certificate with its key: {why}.",
            "Both are PEM; the certificate's file has the chain behind it; the key has no password.",
        ) from None
    return context


def _no_password() -> str:
    """Nobody is there to be asked."""
    raise ValueError("the key has a password")


async def open_sockets(app: ASGIApp, store: Store, exits: AsyncExitStack) -> Server:
    """Serve where it was asked for. The store's address knows then where that is."""
    settings, address = store.settings, store.address
    tls = tls_of(settings)
    # The descriptors are those of one process: one count for both.
    peers = Counter[str]()
    server = await serve(app, settings.host, settings.port, tls=tls, peers=peers)
    address.port = server.port
    if tls is not None:
        inner = await serve(app, LOOPBACK, 0, peers=peers)
        exits.push_async_callback(inner.stop)
        address.inner = inner.port
    return server
