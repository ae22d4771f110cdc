"""Who signed a request to a mount: for those that answer for themselves but want a signature on some of their paths."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from alight.calls import Principal
from alight.errors.gateway import MissingAuthentication
from alight.gateway.request import Request, read_request
from alight.gateway.signature import Lookup, Payload, check_hash, examine

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")


def signer(
    scope: Mapping[str, Any], body: bytes, keys: Lookup, *, now: float, service: str, region: str | None
) -> tuple[Principal, str]:
    """The principal and the id of its key. Raises a `Fault` for whatever is not one valid signature over all of it."""
    request = read_request(scope)
    claim = examine(request, keys, now=now, service=service, region=region)
    if claim.is_anonymous:
        raise MissingAuthentication
    actual = hashlib.sha256(body).hexdigest()
    principal, _ = claim.settle(actual)
    if claim.payload is Payload.HASHED:
        check_hash(claim.expected or "", actual)
    return principal, _access_key(request)


def _access_key(request: Request) -> str:
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is not None:
        return found[1]
    return (request.parameter("X-Amz-Credential") or "").partition("/")[0]
