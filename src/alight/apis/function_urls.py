"""Function URLs, an ASGI app: a function of its own address, called with the proxy event 2.0 of an HTTP API.

A function is reached by path, `/_aws/lambda-url/URL_ID/PATH`, or by Host, `URL_ID.lambda-url.us-east-1.localhost:PORT`.
There are no routes and no stages; who may call is for the function's policy to say, and for callers' own where the URL
asks for a signature.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from alight.apis.answers import Answer, Malformed, answer_v2
from alight.apis.api import Api, Cors, Integration, Route
from alight.apis.body import Body, Gone
from alight.apis.calling import EVENT_LIMIT, Busy, FunctionFailed, Ran, Signer, failure
from alight.apis.cors import preflight, with_cors
from alight.apis.media import body_for_event
from alight.apis.proxy_v2 import context_v2, event_v2
from alight.apis.request import Incoming, read_incoming
from alight.apis.routes import DEFAULT, Match
from alight.apis.sending import send_answer
from alight.asgi import Receive, Scope, Send
from alight.clock import Clock
from alight.errors import Fault
from alight.errors.apis import BadAnswer, EventTooLarge, ForbiddenException, IntegrationBusy, RequestTooLargeException
from alight.names import REGION, new_request_id

log = logging.getLogger(__name__)

PREFIX = "/_aws/lambda-url/"
#: The label in a Host that stands behind a URL's id.
LABEL = "lambda-url"

_ROUTE = Match(Route("ANY", DEFAULT, Integration("AWS_PROXY")), {})
_JSON = ("content-type", "application/json")


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """One URL: `function` is the ARN of a function or an alias; `signed` says that its AuthType is AWS_IAM."""

    id: str
    function: str
    signed: bool
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """One request to a function URL, for its story and for metrics. `why` is there where we said no."""

    url: FunctionUrl
    incoming: Incoming
    status: int
    ended: float
    why: str


#: By the URL's id.
Find = Callable[[str], FunctionUrl | None]
#: Who signed, None where nobody has to; raises a `Fault` for whoever may not call, with the reason as its cause.
Admit = Callable[[FunctionUrl, Scope, Incoming, bytes], Signer | None]
#: Runs the function on an event under a request id. Raises `Busy`, or a `Fault` where it cannot be run.
Run = Callable[[FunctionUrl, bytes, str], Awaitable[Ran]]


class FunctionUrls:
    """The ASGI app. `tell` is called once for each request to a URL that exists."""

    def __init__(self, find: Find, admit: Admit, run: Run, clock: Clock, tell: Callable[[Called], None]) -> None:
        self._find = find
        self._admit = admit
        self._run = run
        self._clock = clock
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = new_request_id()
        url_id, path, domain = _place(scope)
        incoming = read_incoming(scope, path, domain, request_id, self._clock.now())
        ids = [(b"x-amzn-requestid", request_id.encode()), (b"x-amzn-trace-id", incoming.trace.encode("latin-1"))]
        url, body = self._find(url_id), Body(incoming, receive)
        if url is None:
            return await send_answer(send, incoming.method, ids, _refused(ForbiddenException()), body)
        try:
            answer = await self._answer(url, scope, incoming, body)
        except Gone:
            return
        await send_answer(send, incoming.method, ids, answer, body)
        self._tell(Called(url, incoming, answer.status, self._clock.now(), answer.why))

    async def _answer(self, url: FunctionUrl, scope: Scope, incoming: Incoming, body: Body) -> Answer:
        """With the URL's own CORS headers, where it has some."""
        asked = preflight(url.cors, incoming) if url.cors is not None else None
        if asked is not None:
            # Where API Gateway says 204.
            return Answer(200, asked.headers, b"")
        answer = await self._called(url, scope, incoming, body)
        return answer if url.cors is None else with_cors(url.cors, incoming, answer)

    async def _called(self, url: FunctionUrl, scope: Scope, incoming: Incoming, body: Body) -> Answer:
        try:
            if not url.signed:
                # Before a stranger's body is read.
                self._admit(url, scope, incoming, b"")
            content = await body.read()
            signer = self._admit(url, scope, incoming, content) if url.signed else None
            event = _event(url, incoming, signer, content)
            if len(event) > EVENT_LIMIT:
                raise EventTooLarge
            return _answered(await self._run(url, event, incoming.request_id))
        except Busy as error:
            return _refused(IntegrationBusy(), str(error))
        except Fault as fault:
            why = str(fault.__cause__ or fault.message)
            if fault.status >= 500 and not isinstance(fault.__cause__, FunctionFailed):
                log.warning("%s %s of %s: %s", incoming.method, incoming.path, url.function, why)
            return _refused(fault, why)
        except Gone:
            raise
        except Exception:
            log.exception("request %s failed", incoming.request_id)
            return _refused(BadAnswer(), "a mistake of Alight's; its log says which")


def _answered(ran: Ran) -> Answer:
    try:
        if ran.failed:
            raise FunctionFailed(f"the function failed: {failure(ran.payload)}")
        # What a function does not say of its type is JSON here, where an HTTP API takes it for text.
        return answer_v2(ran.payload, "application/json")
    except (FunctionFailed, Malformed) as error:
        raise BadAnswer from error


def _event(url: FunctionUrl, incoming: Incoming, signer: Signer | None, content: bytes) -> bytes:
    """What an HTTP API's `$default` route would send, with what is other of a URL."""
    api = Api(url.id, "", "HTTP", DEFAULT)
    principal, key = (signer.principal, signer.access_key) if signer else (None, "")
    context = context_v2(api, _ROUTE, incoming, principal, key) | {"requestId": incoming.request_id}
    if signer is None:
        context["accountId"] = "anonymous"
    text, is_base64 = body_for_event(api, incoming.header("content-type"), content)
    return json.dumps(event_v2(api, _ROUTE, incoming, context, text, is_base64)).encode()


def _refused(fault: Fault, why: str = "") -> Answer:
    """In the words of a function URL."""
    match fault:
        case ForbiddenException():
            said: object = {"Message": "Forbidden"}
            return Answer(403, [_JSON, ("x-amzn-errortype", "AccessDeniedException")], _dump(said), why)
        case IntegrationBusy():
            said = {
                "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
                "Type": "User",
                "message": "Rate Exceeded.",
            }
            headers = [_JSON, ("x-amzn-errortype", "TooManyRequestsException"), ("retry-after", "1")]
            return Answer(429, headers, _dump(said), why)
        case EventTooLarge() | RequestTooLargeException():
            return Answer(413, [_JSON], _dump({"Message": "Request Entity Too Large"}), why)
        case _ if fault.status < 500:
            return Answer(
                fault.status, [_JSON, ("x-amzn-errortype", fault.code)], _dump({"message": fault.message}), why
            )
    return Answer(502, [("content-type", "text/plain")], b"Internal Server Error", why)


def _dump(said: object) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


def _place(scope: Scope) -> tuple[str, str, str]:
    """(URL's id, path below it, the domain by which the URL calls itself)."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    raw = scope["raw_path"].decode("latin-1")
    if named := scope.get("alight.name"):
        return str(named), raw, host
    url_id, _, below = raw.removeprefix(PREFIX).partition("/")
    port = host.rpartition(":")[2] if ":" in host and not host.endswith("]") else ""
    return url_id, f"/{below}", f"{url_id}.{LABEL}.{REGION}.localhost" + (f":{port}" if port else "")
