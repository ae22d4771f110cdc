"""Calls of workers that come by a hatch of their own: the gateway's walk without HTTP, hosts and signature.

Who asks is known by the hatch (the room of functions sees to that), so its session key is looked up and nothing has to
be proved. From there on it is the same walk: which operation, is the body what its checksum says, may this role do
this, call, encode. What is no plain call of an operation is sent the usual way (None), before anything is done.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from typing import Protocol
from urllib.parse import urlsplit

from alight.calls import Principal
from alight.errors import Fault
from alight.errors.gateway import EntityTooLarge
from alight.gateway.asgi import Gateway, action_of, tells_length
from alight.gateway.body import WholeStream
from alight.gateway.canonical import is_plain_path
from alight.gateway.encode import Response
from alight.gateway.integrity import check_body
from alight.gateway.load import Share
from alight.gateway.mounts import Mounts
from alight.gateway.request import RAW_PATH, RAW_QUERY, Request, parse_host, split_query
from alight.gateway.route import Match, Miss, Pending
from alight.gateway.signature import find_key
from alight.gateway.wire import decode, encode, encode_error, parse_form
from alight.names import new_request_id

log = logging.getLogger(__name__)

_METHODS = frozenset({"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:\n[!#$%&'*+.^_`|~0-9a-z-]+)*")
_VALUES = re.compile(r"[\t\n -~\x80-\xff]*")
#: Headers that mean more over HTTP than they say here.
_OTHERS = frozenset({"expect", "origin", "transfer-encoding", "x-amz-decoded-content-length", "x-amz-trailer"})


class Asked(Protocol):
    """A call as the hatch has it; names of headers are in lower case."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Inside:
    """Answers calls by the gateway's operations; `home` is the address that workers know."""

    def __init__(self, gateway: Gateway, home: str) -> None:
        parts = urlsplit(home)
        self._gateway = gateway
        self._mounts = Mounts(gateway.mounts)
        self._scheme, self._address = parts.scheme, parts.netloc
        self._host, self._port = parse_host(parts.netloc)
        self._date = (0, b"")

    async def answer(self, access_key_id: str, token: str, asked: Asked) -> Response | None:
        """What the worker with this session asks; None where it has to ask the usual way."""
        request = self._request(asked)
        if request is None:
            return None
        request_id, share = new_request_id(), Share(self._gateway.load)
        found = self._gateway.router.match(request)
        try:
            response = await self._answer(request, asked.body, found, access_key_id, token, request_id, share)
        except Fault as fault:
            response = self._refused(fault, found, request, request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            response = self._refused(Fault(), found, request, request_id)
        finally:
            share.end()
        return None if response is None else self._finished(response, request.method)

    async def _answer(
        self, request: Request, body: bytes, found: Match | Pending | Miss, key_id: str, token: str, request_id: str,
        share: Share,
    ) -> Response | None:  # fmt: skip
        gateway = self._gateway
        principal: Principal = find_key(gateway.keys, key_id, token, gateway.clock.now()).principal
        share.begin(own=principal.worker is not None)
        share.hold(len(body))
        form = None
        if isinstance(found, Pending):
            form = parse_form(body)
            found = found.match(action_of(form))
        if isinstance(found, Miss):
            raise found.fault
        if found.operation.model.has_event_stream_output:
            return None
        if found.service.name != "s3" and not is_plain_path(request.path):
            return None
        call = gateway.call_of(request, found, principal, request_id)
        handler = gateway.handler_of(found, principal)
        content: bytes | WholeStream = body
        if found.operation.inputs.is_stream:
            content = WholeStream(body)
        elif len(body) > gateway.limit_of(found):
            raise EntityTooLarge
        else:
            check_body(found, request, body, {}, gateway.digest)
        given = decode(found, request, content, form)
        gateway.authorize(call, given)
        return encode(found, await handler(call, given), request_id)

    def _request(self, asked: Asked) -> Request | None:
        """As the gateway knows requests; None for what HTTP would not let in, and for what is no plain call."""
        headers = dict(asked.headers)
        path, _, query = asked.target.partition("?")
        if asked.method not in _METHODS or not RAW_PATH.fullmatch(path) or not RAW_QUERY.fullmatch(query):
            return None
        if not _NAMES.fullmatch("\n".join(headers)) or not _VALUES.fullmatch("\n".join(headers.values())):
            return None
        if "X-Amz-" in query or "Signature" in query or not _OTHERS.isdisjoint(headers):
            return None
        if "authorization" not in headers or headers.get("content-type", "").startswith("multipart/"):
            return None
        if self._mounts.find("", path)[0] is not None:
            return None
        headers["host"] = self._address
        return Request(
            method=asked.method, path=path, query=query, parameters=split_query(query) if query else (),
            headers=headers, host=self._host, port=self._port, scheme=self._scheme, client="127.0.0.1",
        )  # fmt: skip

    def _refused(self, fault: Fault, found: Match | Pending | Miss, request: Request, request_id: str) -> Response:
        router = self._gateway.router
        if isinstance(found, Miss):
            service, protocol = found.service, found.protocol
        else:
            service = found.service.name
            protocol = found.protocol if isinstance(found, Match) else "query"
        return encode_error(router.service_or_s3(service), protocol, fault, request_id, request.path)

    def _finished(self, response: Response, method: str) -> Response:
        """With the headers that a server over HTTP adds."""
        now = int(self._gateway.clock.now())
        if now != self._date[0]:
            self._date = now, formatdate(now, usegmt=True).encode()
        headers = [(b"date", self._date[1]), *response.headers]
        if tells_length(response, method):
            headers.append((b"content-length", b"%d" % (response.length or 0)))
        body: bytes | AsyncIterator[bytes] = b"" if method == "HEAD" else response.body
        return Response(response.status, headers, body, response.length)
