"""The door of all deployed APIs, an ASGI app: which stage is meant, one answer, and a line in its story.

An API is reached by path, `/_aws/execute-api/API_ID/STAGE/PATH`, or by Host, `API_ID.execute-api.localhost:PORT` and
`/STAGE/PATH`; the stage `$default` takes whatever begins with no other stage's name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from alight.apis.answers import Answer
from alight.apis.api import Api, Kind
from alight.apis.body import Body, Gone
from alight.apis.calling import Callers, FunctionFailed, Spent, Stage
from alight.apis.compression import compressed
from alight.apis.cors import preflight, with_cors
from alight.apis.ids import short_id
from alight.apis.proxy_v1 import staged
from alight.apis.refusals import refuse
from alight.apis.request import Incoming, read_incoming
from alight.apis.routes import DEFAULT, Match, Table
from alight.apis.sending import send_answer
from alight.asgi import Receive, Scope, Send
from alight.clock import Clock
from alight.errors import Fault
from alight.errors.apis import (
    ForbiddenException,
    IntegrationFailed,
    MissingAuthenticationTokenException,
    NotFoundException,
)
from alight.names import new_request_id

log = logging.getLogger(__name__)

#: The stage that is served under this API id and stage name, if any.
Find = Callable[[str, str], Api | None]

PREFIX = "/_aws/execute-api/"
#: The label in a Host that stands behind an API's id.
LABEL = "execute-api"
#: Characters of a path that no route takes, in the story.
MOST_TOLD = 200


@dataclass(frozen=True, slots=True)
class Told:
    """One request, for its story and for metrics. `route` is what took it, `why` is there where we said no,
    `integration` are the seconds of what answered, if anything was asked."""

    api: Api
    incoming: Incoming
    route: str
    status: int
    ended: float
    why: str
    integration: float | None = None


class Door:
    """The ASGI app. `tell` is called once for each request to a stage that exists."""

    def __init__(self, find: Find, callers: Callers, clock: Clock, tell: Callable[[Told], None]) -> None:
        self._find = find
        self._callers = callers
        self._clock = clock
        self._tell = tell
        self._stages: dict[tuple[str, str], Stage] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope.get("alight.request_id") or new_request_id()
        api_id, below, domain = _place(scope)
        stage, path = self._stage(api_id, below)
        incoming = read_incoming(scope, path, domain, request_id, self._clock.now())
        if stage is None:
            answer = refuse("REST", ForbiddenException())
            return await send_answer(send, incoming.method, _ids("REST", request_id), answer, Body(incoming, receive))
        api = stage.api
        match: Match | None = None
        body, spent = Body(incoming, receive), Spent()
        try:
            asked = preflight(api.cors, incoming) if api.cors is not None else None
            if asked is None:
                match = stage.table.match(incoming.method, path)
                answer = await self._answer(stage, match, incoming, scope, body, spent)
            else:
                answer = asked
        except Gone:
            return
        if api.cors is not None and asked is None:
            answer = with_cors(api.cors, incoming, answer)
        answer = compressed(api, incoming, answer)
        await send_answer(send, incoming.method, _ids(api.kind, request_id), answer, body)
        route = f"{incoming.method} {match.route.path if match else staged(api, path)[:MOST_TOLD]}"
        self._tell(Told(api, incoming, route, answer.status, self._clock.now(), answer.why, spent.integration))

    async def _answer(
        self, stage: Stage, match: Match | None, incoming: Incoming, scope: Scope, body: Body, spent: Spent
    ) -> Answer:
        kind = stage.api.kind
        try:
            if match is None:
                raise MissingAuthenticationTokenException if kind == "REST" else NotFoundException
            return await self._callers.answer(stage, match, incoming, scope, body.read, spent)
        except Fault as fault:
            why = str(fault.__cause__ or "")
            # A function that failed has told its own log.
            if why and fault.status >= 500 and not isinstance(fault.__cause__, FunctionFailed):
                log.warning("%s %s of %s: %s", incoming.method, incoming.path, stage.api.id, why)
            return refuse(kind, fault, why or fault.message)
        except Gone:
            raise
        except Exception:
            log.exception("request %s failed", incoming.request_id)
            return refuse(kind, IntegrationFailed(), "a mistake of Alight's; its log says which")

    def _stage(self, api_id: str, below: str) -> tuple[Stage | None, str]:
        """The stage, and the path below it."""
        first, slash, rest = below.partition("/")
        name = unquote(first)
        if name and (api := self._find(api_id, name)) is not None:
            return self._ready(api, name), f"/{rest}" if slash else "/"
        if (api := self._find(api_id, DEFAULT)) is not None:
            return self._ready(api, DEFAULT), f"/{below}"
        return None, ""

    def _ready(self, api: Api, name: str) -> Stage:
        place = (api.id, name)
        stage = self._stages.get(place)
        # A new deployment is a new object: its routes are read anew, and its authorizers asked anew.
        if stage is None or stage.api is not api:
            if len(self._stages) >= 1_000:
                self._stages.clear()
            self._stages[place] = stage = Stage(api, Table(api))
        return stage


def _place(scope: Scope) -> tuple[str, str, str]:
    """(API id, what stands behind it in the path, the domain by which the API calls itself)."""
    given = b""
    for name, value in scope["headers"]:
        if name == b"host":
            given = value
            break
    host, own, port = _host(given)
    raw = scope["raw_path"].decode("latin-1")
    if own:
        return own, raw.removeprefix("/"), host
    api_id, _, below = raw.removeprefix(PREFIX).partition("/")
    return api_id, below, f"{api_id}.{LABEL}.localhost{port}"


@lru_cache(maxsize=1_024)
def _host(given: bytes) -> tuple[str, str, str]:
    """(the Host, the API id in it or nothing, `:PORT` or nothing)."""
    host = given.decode("latin-1")
    labels = host.lower().split(".", 2)
    own = labels[0] if len(labels) == 3 and labels[1] == LABEL else ""
    port = host.rpartition(":")[2] if ":" in host and not host.endswith("]") else ""
    return host, own, f":{port}" if port else ""


def _ids(kind: Kind, request_id: str) -> list[tuple[bytes, bytes]]:
    """How each kind of API tells the request's id."""
    if kind == "REST":
        return [(b"x-amzn-requestid", request_id.encode()), (b"x-amz-apigw-id", short_id(request_id).encode())]
    return [(b"apigw-requestid", short_id(request_id).encode())]
