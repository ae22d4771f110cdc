"""HTTP_PROXY: another server answers. What it is asked is made here, how it is reached is handed over.

Addresses are checked by whoever hands over the session: a template must not turn this machine into a door to its own
network (`Reach.check`, and the session's own resolver).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from yarl import URL

from alight import late
from alight.apis.answers import Answer, can_be_sent
from alight.apis.api import Api
from alight.apis.proxy_v1 import DROPPED, HOP_BY_HOP, OVERWRITTEN
from alight.apis.request import Incoming
from alight.apis.routes import Match

if TYPE_CHECKING:
    import aiohttp

#: Bytes of the largest answer that is handed on.
ANSWER_LIMIT = 10 * 1024 * 1024

_VARIABLE = re.compile(r"\{([^}]+?)\+?\}")
#: Of an answer: what speaks of the other server's connection, or is written anew.
_NOT_RETURNED = HOP_BY_HOP | {"content-length", "via", "date", "server"}


class Unreachable(Exception):
    """The other server was not reached, may not be reached, or did not answer as HTTP; the text says why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The way out: `session` makes or keeps the client, `check` raises one of `refused` for a URL that may not be
    tried, as the session does for a name that leads to such an address."""

    session: Callable[[], aiohttp.ClientSession]
    check: Callable[[str], object]
    refused: type[Exception]


@dataclass(frozen=True, slots=True)
class Question:
    """What the other server is asked."""

    method: str
    url: str
    headers: Mapping[str, str]


def ask_for(api: Api, match: Match, incoming: Incoming, context: Mapping[str, object]) -> Question:
    """The request to the integration's URI, with what was mapped and the caller's query. A variable that nothing is
    mapped to is not filled by its name, as AWS does not. Raises `Unreachable`."""
    integration = match.route.integration
    values: dict[str, str] = {}
    headers = _headers(api, incoming)
    queries = [incoming.query] if incoming.query else []
    for target, source in integration.parameters.items():
        value = _mapped(source, match, incoming, api, context)
        _, _, place = target.partition("integration.request.")
        part, _, name = place.partition(".")
        if value is None:
            continue
        if part == "path":
            values[name] = value
        elif part == "querystring":
            queries.append(f"{quote(name, safe='')}={quote(value, safe='')}")
        elif part == "header":
            headers = {key: old for key, old in headers.items() if key.lower() != name.lower()} | {name: value}
    # A variable stands for path segments, never for a way up or out of the path.
    missing = set(_VARIABLE.findall(integration.uri)) - set(values)
    if missing:
        raise Unreachable(f"{integration.uri}: nothing is mapped to integration.request.path.{min(missing)}")
    filled = _VARIABLE.sub(lambda found: _segments(values[found[1]]), integration.uri)
    if queries:
        filled += ("&" if "?" in filled else "?") + "&".join(queries)
    method = incoming.method if integration.method == "ANY" else integration.method
    return Question(method, filled, headers)


async def ask(reach: Reach, asked: Question, body: bytes) -> Answer:
    """Raises `Unreachable`. The caller keeps the time."""
    await late.load("aiohttp")
    import aiohttp

    try:
        reach.check(asked.url)
        # As it is: the client must not resolve what stands for a step of the path.
        url = URL(asked.url, encoded=True)
        async with reach.session().request(
            asked.method, url, data=body or None, headers=asked.headers, allow_redirects=False
        ) as response:
            content = await _read(response)
            headers = [(name, value) for name, value in response.headers.items() if name.lower() not in _NOT_RETURNED]
            if not all(can_be_sent(name, value) for name, value in headers):
                raise Unreachable(f"{asked.url}: a header of the answer cannot be sent")
            return Answer(response.status, headers, content)
    except aiohttp.ClientError as error:
        raise Unreachable(f"{asked.url}: {error or type(error).__name__}") from error
    except TimeoutError:
        raise
    except (reach.refused, OSError, ValueError) as error:
        raise Unreachable(f"{asked.url}: {error}") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > ANSWER_LIMIT:
            raise Unreachable("the answer is larger than 10 MB")
        parts.append(piece)
    return b"".join(parts)


def _headers(api: Api, incoming: Incoming) -> dict[str, str]:
    """The caller's own, but for those of the connection, and API Gateway's."""
    headers: dict[str, str] = {}
    for lower, spelled, value in incoming.headers:
        if lower in DROPPED or lower in HOP_BY_HOP or lower in OVERWRITTEN or lower == "host":
            continue
        headers[spelled] = f"{headers[spelled]},{value}" if spelled in headers else value
    return headers | dict(incoming.forwarded) | {"x-amzn-apigateway-api-id": api.id}


def _mapped(source: str, match: Match, incoming: Incoming, api: Api, context: Mapping[str, object]) -> str | None:
    """A mapping's right side: a constant in quotes, or a place in the request."""
    if source.startswith("'") and source.endswith("'") and len(source) > 1:
        return source[1:-1]
    where, _, name = source.rpartition(".")
    if where == "method.request.path":
        return match.parameters.get(name)
    if where == "method.request.querystring":
        return next((value for key, value in reversed(incoming.parameters) if key == name), None)
    if where == "method.request.header":
        return incoming.header(name.lower())
    if where == "stageVariables":
        return api.variables.get(name)
    found = context.get(name) if where == "context" else None
    return None if found is None else str(found)


def _segments(value: str) -> str:
    steps = [quote(step, safe="") for step in value.split("/")]
    return "/".join("%2E%2E" if step == ".." else "%2E" if step == "." else step for step in steps)
