"""Requests signed by botocore, an implementation that is not ours, at a moment and in a way of our choice."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alight.calls import Principal
from alight.gateway.request import Request, read_request
from alight.gateway.signature import Key

NOW = 1_767_323_045.0
ROOT = Principal("root", "arn:aws:iam::000000000000:root", "ROOT")
WORKER = Principal("role", "arn:aws:sts::000000000000:assumed-role/r/s", "AROA", "r", "w")
ACCESS_KEY, SECRET = "AKIATEST", "se/cr+et"
HOST = "127.0.0.1:4566"


def lookup(access_key_id: str, token: str | None) -> Key | None:
    """A root key, a worker's key, and one that has expired."""
    return {
        (ACCESS_KEY, None): Key(SECRET, ROOT),
        ("ASIAWORKER", "tok/en+="): Key("worker-secret", WORKER, NOW + 100),
        ("ASIAOLD", "old"): Key("old-secret", WORKER, NOW),
    }.get((access_key_id, token))


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def signed_scope(
    method: str = "PUT",
    url: str = "/pics/card.jpg",
    body: bytes = b"hello",
    *,
    place: str = "header",
    service: str = "s3",
    said: str | None = None,
    headers: dict[str, str] | None = None,
    credentials: Credentials | None = None,
    region: str = "us-east-1",
    when: float = NOW,
    expires: int = 600,
    host: str = HOST,
) -> dict[str, Any]:
    """An ASGI scope. `said` is x-amz-content-sha256 (None: not sent, and signed as the service's default)."""
    given = dict(headers or {})
    if said is not None and place != "none":
        given["x-amz-content-sha256"] = said
    request = AWSRequest(method, f"http://{host}{url}", headers=given, data=body if place == "header" else b"")
    if place != "none":
        covered = said or ("UNSIGNED-PAYLOAD" if (place, service) == ("query", "s3") else sha256(body))
        signer = _signer(place, service, covered, said, credentials or Credentials(ACCESS_KEY, SECRET), region, expires)
        with (
            patch("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(when, UTC)),
            patch("botocore.auth.time.time", lambda: when),
        ):
            signer.add_auth(request)
    if said is None and place == "header":
        del request.headers["x-amz-content-sha256"]
    # A link is used without the headers that it was made with.
    del request.headers["date"]
    if said is not None:
        del request.headers["x-amz-content-sha256"]
        request.headers["x-amz-content-sha256"] = said
    return scope_of(request, host)


def scope_of(request: AWSRequest, host: str = HOST) -> dict[str, Any]:
    parts = urlsplit(request.url)
    headers = [(name.lower().encode(), str(value).encode("latin-1")) for name, value in request.headers.items()]
    return {
        "type": "http",
        "method": request.method,
        "raw_path": parts.path.encode(),
        "path": parts.path,
        "query_string": parts.query.encode(),
        "headers": [*headers, (b"host", host.encode())],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 4566),
        "scheme": "http",
    }


def signed(*arguments: Any, **options: Any) -> Request:
    return read_request(signed_scope(*arguments, **options))


def _signer(
    place: str, service: str, covered: str, said: str | None, credentials: Credentials, region: str, expires: int
) -> Any:
    if place == "query v2":
        return HmacV1QueryAuth(credentials, expires)
    bases = {
        ("header", True): S3SigV4Auth,
        ("header", False): SigV4Auth,
        ("query", True): S3SigV4QueryAuth,
        ("query", False): SigV4QueryAuth,
    }

    class Signer(bases[place, service == "s3"]):  # type: ignore[misc]
        def payload(self, request: AWSRequest) -> str:
            return covered

        def _modify_request_before_signing(self, request: AWSRequest) -> None:
            super()._modify_request_before_signing(request)
            if said is not None:
                del request.headers["x-amz-content-sha256"]
                request.headers["x-amz-content-sha256"] = said

    options = {"expires": expires} if place == "query" else {}
    return Signer(credentials, service, region, **options)
