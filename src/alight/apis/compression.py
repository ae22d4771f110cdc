"""Compression of REST APIs that ask for it (`minimumCompressionSize`): answers that are large enough, for those who
take it, and requests that come compressed."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace

from alight.apis.answers import Answer
from alight.apis.api import Api
from alight.apis.body import LIMIT
from alight.apis.request import Incoming
from alight.errors.apis import BadRequestException, RequestTooLargeException

#: Window bits of zlib by content coding.
_CODINGS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


def compressed(api: Api, incoming: Incoming, answer: Answer) -> Answer:
    """The answer as this caller gets it."""
    least = api.minimum_compression
    if least is None or len(answer.body) < max(least, 1):
        return answer
    if "gzip" not in (incoming.header("accept-encoding") or ""):
        return answer
    if any(name.lower() == "content-encoding" for name, _ in answer.headers):
        return answer
    headers = [*answer.headers, ("Content-Encoding", "gzip")]
    return Answer(answer.status, headers, gzip.compress(answer.body, 6), answer.why)


def decompressed(api: Api, incoming: Incoming, body: bytes) -> tuple[Incoming, bytes]:
    """The request as the function sees it. Raises `BadRequestException`, or `RequestTooLargeException` for a body that
    would grow beyond the limit."""
    coding = incoming.header("content-encoding") if api.minimum_compression is not None else None
    bits = _CODINGS.get(coding.lower()) if coding else None
    if bits is None:
        return incoming, body
    reader = zlib.decompressobj(bits)
    try:
        whole = reader.decompress(body, LIMIT + 1)
    except zlib.error as error:
        raise BadRequestException(f"The body is not {coding}: {error}") from None
    if len(whole) > LIMIT:
        raise RequestTooLargeException
    if not reader.eof:
        raise BadRequestException(f"The body is not {coding}: it ends too early")
    headers = tuple(header for header in incoming.headers if header[0] != "content-encoding")
    return replace(incoming, headers=headers), whole
