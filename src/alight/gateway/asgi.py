"""One request, step by step: host, mount, route, authenticate, decode, authorize, call, encode.

`Gateway` is the ASGI application. Each step either returns what the next one needs or raises a `Fault`, which is
written in the format of the service that was asked for. What is not a `Fault` is our own bug: logged, bare 500.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from alight.asgi import ASGIApp, Receive, Scope, Send, send_pieces
from alight.calls import Attempt, Call, Handler, Members, Operations, Principal, Stream
from alight.clock import Clock
from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.gateway import InvalidAction, MissingAuthentication, MissingContentLength, SlowDown
from alight.gateway.access import Public, admit_anonymous, may_be_anonymous
from alight.gateway.body import Body, RawBody, WholeStream, without_framing
from alight.gateway.cors import CrossOrigin, SameOriginOnly, opened, preflight, with_headers
from alight.gateway.encode import BODILESS, RETRY_AFTER
from alight.gateway.eventstream import CONTENT_TYPE as EVENT_STREAM
from alight.gateway.forms import POST_OBJECT, bucket_of, read_form
from alight.gateway.hosts import Hosts
from alight.gateway.integrity import Digest, check_body, plain_digest
from alight.gateway.leaving import Left, while_there
from alight.gateway.load import Load, Share
from alight.gateway.mounts import Mount, Mounts
from alight.gateway.request import Request, read_request, with_hoisted
from alight.gateway.route import Match, Miss, Pending, Router
from alight.gateway.signature import Claim, Lookup, Payload, examine
from alight.gateway.wire import Response, decode, encode, encode_error, parse_form
from alight.names import REGION, new_request_id

log = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
#: Bytes of a body that is not streamed, unless `BODY_LIMITS` says otherwise.
BODY_LIMIT = 10 * MEGABYTE
#: AWS's own, larger limits: function code travels as base64 in JSON; inputs of models.
BODY_LIMITS: dict[tuple[str, str], int] = {
    ("lambda", "CreateFunction"): 70_167_211,
    ("lambda", "Invoke"): 6 * MEGABYTE,
    ("lambda", "PublishLayerVersion"): 70_167_211,
    ("lambda", "UpdateFunctionCode"): 70_167_211,
    ("sagemaker-runtime", "InvokeEndpoint"): 25 * MEGABYTE,
}
#: An unread body of up to this many bytes is read and dropped, so that the connection can be kept.
DRAIN = 64 * 1024
#: Seconds and bytes for which a larger unread body is still taken, so that the client gets to read our answer.
LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * MEGABYTE


@dataclass(slots=True)
class _Walk:
    """What is known of a request so far; a fault is written with it."""

    request_id: str
    share: Share
    request: Request | None = None
    found: Match | Pending | Miss | None = None
    raw: RawBody | None = None
    #: What a page of another origin is told with any answer (`cors`).
    told: Mapping[str, str] = field(default_factory=dict)


def _allow(call: Call, given: Members) -> None:
    return None


def _no_attempt(principal: Principal) -> Attempt | None:
    return None


def _nothing_is_public(call: Call, given: Members) -> bool:
    return False


@dataclass(slots=True)
class Gateway:
    """The ASGI application. Everything it needs is handed over.

    `keys(access_key_id, token)` finds a `Key`; `authorize(call, given)` raises AccessDenied; `public(call, given)`
    says whether a resource's own policy lets anybody in, `cross_origin` what a bucket's CORS rules let in;
    `digest(algorithm, data)` makes checksums; `mounts` maps `/prefix/` or a host label to an app, which finds the
    labels before its own in the scope as `alight.name`.
    """

    operations: Operations
    keys: Lookup
    clock: Clock
    hosts: Hosts = field(default_factory=Hosts)
    region: str | None = REGION
    authorize: Callable[[Call, Members], None] = _allow
    attempt_of: Callable[[Principal], Attempt | None] = _no_attempt
    public: Public = _nothing_is_public
    cross_origin: CrossOrigin = field(default_factory=SameOriginOnly)
    mounts: Mapping[str, Mount | ASGIApp] = field(default_factory=dict)
    router: Router = field(default_factory=Router)
    digest: Digest = plain_digest
    body_limit: int = BODY_LIMIT
    body_limits: Mapping[tuple[str, str], int] = field(default_factory=lambda: dict(BODY_LIMITS))
    load: Load = field(default_factory=Load)
    _mounts: Mounts = field(init=False)

    def __post_init__(self) -> None:
        self._mounts = Mounts(self.mounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        walk = _Walk(new_request_id(), Share(self.load))
        try:
            await self._walk(walk, scope, receive, send)
        finally:
            walk.share.end()

    async def _walk(self, walk: _Walk, scope: Scope, receive: Receive, send: Send) -> None:
        mount: Mount | None = None
        response: Response | None = None
        try:
            walk.request = request = read_request(scope)
            self.hosts.check(request, (scope.get("server") or ("", None))[1])
            named = self.hosts.named(request.host)
            mount, name = self._mounts.find(named.labels, request.path)
            in_host = named.bucket
            bucket = self._posted_to(request, in_host) if mount is None and request.method == "POST" else None
            if mount is None and "origin" in request.headers:
                walk.told = opened(request, in_host, self.router, self.cross_origin)
            if bucket is None and not walk.told and (mount is None or not mount.any_origin):
                self.hosts.check_origin(request)
            if bucket is not None:
                response = await self._take_form(request, receive, walk, bucket)
            elif mount is None:
                if request.method == "OPTIONS":
                    response = preflight(request, in_host, self.cross_origin, walk.request_id)
                response = response or await self._answer(request, in_host, receive, walk)
            elif mount.reads_whole:
                response = self._admit(request, receive, walk)
                mount = None if response else mount
        except Left:
            return
        except Fault as fault:
            mount, response = None, self._refuse(fault, walk)
        except Exception:
            log.exception("request %s failed", walk.request_id)
            mount, response = None, self._refuse(Fault(), walk)
        if mount is not None:
            scope["alight.request_id"] = walk.request_id
            await mount.app({**scope, "alight.name": name} if name else scope, receive, send)
        elif response is not None:
            if walk.told:
                response = with_headers(response, walk.told)
            await _send(response, scope["method"], walk.raw, receive, send)

    def _admit(self, request: Request, receive: Receive, walk: _Walk) -> Response | None:
        """A mounted app's request takes its share of the load; None where there is room, else API Gateway's words."""
        walk.raw = raw = RawBody(receive, request.headers)
        try:
            walk.share.begin()
            walk.share.hold(_size(raw.announced, self.body_limit))
        except SlowDown:
            headers = [(b"content-type", b"application/json"), (b"retry-after", RETRY_AFTER)]
            return Response(429, headers, body := b'{"message":"Too Many Requests"}', len(body))
        return None

    async def _answer(self, request: Request, bucket: str | None, receive: Receive, walk: _Walk) -> Response:
        """`bucket` is the one in the Host."""
        walk.raw = RawBody(receive, request.headers)
        meant = with_hoisted(request)
        walk.found = found = self.router.match(meant, bucket)
        if isinstance(found, Miss):
            raise found.fault
        principal, claim, content = await self._authenticate(request, walk, found, bucket)
        walk.share.begin(own=principal.worker is not None)
        request = without_framing(meant, claim)
        form = None
        if isinstance(found, Pending):
            content = await _whole(content, self.body_limit, walk.share)
            form = parse_form(content)
            walk.found = found = found.match(action_of(form))
            if isinstance(found, Miss):
                raise found.fault
        handler = self.handler_of(found, principal)
        call = self.call_of(request, found, principal, walk.request_id)
        body: bytes | Stream
        if found.operation.inputs.is_stream:
            body = content if isinstance(content, Body) else WholeStream(content)
        else:
            body = await _whole(content, self.limit_of(found), walk.share)
            trailers = content.trailers if isinstance(content, Body) else {}
            check_body(found, request, body, trailers, self.digest)
        given = decode(found, request, body, form)
        if principal.kind == "anonymous":
            admit_anonymous(call, given, self.public)
        else:
            self.authorize(call, given)
        return encode(found, await while_there(handler(call, given), call, walk.raw.gone), walk.request_id)

    def _posted_to(self, request: Request, in_host: str | None) -> str | None:
        """The bucket of a browser's form, where nothing else answers to a POST at that address."""
        bucket = bucket_of(request, in_host)
        if bucket is None:
            return None
        found = self.router.match(request, in_host)
        return bucket if isinstance(found, Miss) and found.service == "s3" else None

    async def _take_form(self, request: Request, receive: Receive, walk: _Walk, bucket: str) -> Response:
        """The steps of `_answer` for a form: what it is and who signed it stand in its body."""
        walk.raw = raw = RawBody(receive, request.headers)
        if raw.announced is None:
            raise MissingContentLength
        now = self.clock.now()
        claim = examine(request, self.keys, now=now, service="s3", region=self.region)
        content = aiter(Body(raw, request.headers, claim, None))
        posted = await read_form(request, content, bucket, self.router, self.keys, now=now, region=self.region)
        walk.found = found = posted.match
        handler = self.operations.get(POST_OBJECT)
        if handler is None:
            raise NotImplemented_("Alight does not offer uploads by forms here.")
        call = self.call_of(posted.request, found, posted.principal, walk.request_id)
        given = decode(found, posted.request, posted.file)
        self.authorize(call, given)
        reply = await handler(replace(call, operation=POST_OBJECT[1]), given)
        home = request.base_url if self.hosts.named(request.host).bucket else f"{request.base_url}/{bucket}"
        return posted.answer(encode(found, reply, walk.request_id), reply, home)

    async def _authenticate(
        self, request: Request, walk: _Walk, found: Match | Pending, bucket: str | None
    ) -> tuple[Principal, Claim, bytes | Body]:
        """Who it is, and the content: a `Body` that verifies as it is read, or the whole where that was signed."""
        claim = examine(
            request,
            self.keys,
            now=self.clock.now(),
            service=found.service.signing_name,
            region=self.region,
            bucket=bucket,
        )
        if claim.is_anonymous and not may_be_anonymous(found):
            raise MissingAuthentication
        raw = walk.raw
        assert raw is not None
        if claim.payload is not Payload.BODY:
            principal, seed = claim.settle()
            return principal, claim, Body(raw, request.headers, claim, seed)
        limit = self.limit_of(found)
        walk.share.hold(_size(raw.announced, limit))
        body = await raw.read(limit)
        principal, _ = claim.settle(hashlib.sha256(body).hexdigest())
        return principal, claim, body

    def limit_of(self, found: Match | Pending) -> int:
        if isinstance(found, Pending):
            return self.body_limit
        return self.body_limits.get(found.operation.place, self.body_limit)

    def handler_of(self, match: Match, principal: Principal) -> Handler:
        handler = self.operations.get(match.operation.place)
        if handler is None and principal.kind == "anonymous":
            raise MissingAuthentication
        if handler is None:
            raise NotImplemented_(f"Alight does not offer {match.service.name}:{match.operation.name}.")
        return handler

    def call_of(self, request: Request, match: Match, principal: Principal, request_id: str) -> Call:
        return Call(
            service=match.service.name,
            operation=match.operation.name,
            request_id=request_id,
            principal=principal,
            source_ip=request.client,
            base_url=self._base_url(request, match),
            headers=request.headers,
            attempt=self.attempt_of(principal),
        )

    def _base_url(self, request: Request, match: Match) -> str:
        """How the client reached us; without the bucket where the Host began with one."""
        named = self.hosts.named(request.host)
        if match.service.name != "s3" or named.bucket is None:
            return request.base_url
        port = f":{request.port}" if request.port else ""
        return f"{request.scheme}://{named.base}{port}"

    def _refuse(self, fault: Fault, walk: _Walk) -> Response:
        found = walk.found
        protocol = "rest-xml"
        if isinstance(found, Miss):
            service, protocol = found.service, found.protocol
        elif found is not None:
            service = found.service.name
            protocol = found.protocol if isinstance(found, Match) else "query"
        else:
            service = "s3"
        path = walk.request.path if walk.request else ""
        return encode_error(self.router.service_or_s3(service), protocol, fault, walk.request_id, path)


def action_of(form: list[tuple[str, str]]) -> str:
    action = next((value for name, value in form if name == "Action"), None)
    if action is None:
        raise InvalidAction("The request has no Action.")
    return action


async def _whole(content: bytes | Body, limit: int, share: Share) -> bytes:
    if isinstance(content, bytes):
        return content
    share.hold(_size(content.length, limit))
    return await content.read(limit)


def _size(announced: int | None, limit: int) -> int:
    """What a body may come to; one that is announced as too large is refused before it is read."""
    return limit if announced is None else min(announced, limit)


async def _send(response: Response, method: str, raw: RawBody | None, receive: Receive, send: Send) -> None:
    """Status, headers and body; a connection whose request body was not read through is closed, gently."""
    headers = response.headers
    closing = raw is not None and not raw.finished and not await _drained(raw)
    if closing:
        headers = [*headers, (b"connection", b"close")]
    if tells_length(response, method):
        headers = [*headers, (b"content-length", b"%d" % (response.length or 0))]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if method == "HEAD" else response.body
    if isinstance(body, bytes):
        if closing and raw is not None:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await _linger(raw)
            body = b""
        await send({"type": "http.response.body", "body": body})
        return
    try:
        lasting = (b"content-type", EVENT_STREAM) in response.headers
        await send_pieces(body, receive, send, *([0] if lasting else []))
    finally:
        if isinstance(body, AsyncGenerator):
            await body.aclose()


def tells_length(response: Response, method: str) -> bool:
    """A HEAD tells the length of what GET would send, not that of an error's text."""
    if method == "HEAD":
        return bool(response.length) and response.body == b""
    return response.length is not None and response.status not in BODILESS


async def _drained(raw: RawBody) -> bool:
    """True where little enough of the request body is left to be read now."""
    if raw.waits_for_continue or raw.announced is None or raw.announced > DRAIN:
        return False
    with suppress(Fault):
        async for _ in raw.pieces():
            pass
    return raw.finished


async def _linger(raw: RawBody) -> None:
    count = 0
    with suppress(Fault, TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            async for piece in raw.pieces():
                count += len(piece)
                if count > LINGER_BYTES:
                    return
