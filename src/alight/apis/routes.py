"""Which route a request takes: a tree of path segments, made once for each deployed stage.

The whole path beats a greedy one, a segment that is spelled out beats `{name}`, the longest prefix beats shorter ones,
and a verb beats ANY. A REST API chooses its resource by the path alone (a resource without the method is a refusal, and
a slash at the end says nothing); an HTTP API goes on to the next route that has the method, and in the end to
`$default`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from alight.apis.api import Api, Route

DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Match:
    """The route, and what stood in the place of its variables, decoded."""

    route: Route
    parameters: Mapping[str, str]


@dataclass(slots=True)
class _Node:
    """One segment. `ends` are routes whose path ends here, `greedy` those that take all the rest, by verb."""

    fixed: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    ends: dict[str, Route] = field(default_factory=dict)
    greedy: dict[str, Route] = field(default_factory=dict)


class Table:
    """The routes of one stage, ready to be asked."""

    def __init__(self, api: Api) -> None:
        self._rest = api.kind == "REST"
        self._root = _Node()
        self._default: Route | None = None
        for route in api.routes:
            if route.path == DEFAULT:
                self._default = route
            else:
                self._add(route)

    def match(self, method: str, path: str) -> Match | None:
        """`path` is as it was sent, below the stage; None where no route takes it."""
        if self._rest:
            path = path.rstrip("/")
        given = path.split("/")[1:] if path not in ("", "/") else []
        segments = [unquote(part) for part in given] if "%" in path else given
        # A path that is spelled out to its end beats all others, and most paths are.
        spelled = self._spelled(segments)
        route = spelled.get(method) or spelled.get("ANY")
        if route is not None:
            return Match(route, {})
        for routes in self._candidates(segments):
            route = routes.get(method) or routes.get("ANY")
            if route is not None:
                return Match(route, _parameters(route, segments))
            if self._rest:
                return None
        return Match(self._default, {}) if self._default else None

    def _add(self, route: Route) -> None:
        node = self._root
        for part in _parts(route.path):
            if part.endswith("+}"):
                node.greedy[route.method] = route
                return
            if part.startswith("{"):
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.fixed.setdefault(part, _Node())
        node.ends[route.method] = route

    def _spelled(self, segments: Sequence[str]) -> Mapping[str, Route]:
        """The routes whose path is just this."""
        node: _Node | None = self._root
        for segment in segments:
            node = node.fixed.get(segment) if node is not None else None
        return {} if node is None else node.ends

    def _candidates(self, segments: Sequence[str]) -> Iterator[Mapping[str, Route]]:
        reached = list(_reached(self._root, segments, 0))
        yield from (node.ends for node, at in reached if node.ends and at == len(segments))
        yield from (node.greedy for node, at in reached if node.greedy and _has_more(segments, at))


def _reached(node: _Node, segments: Sequence[str], at: int) -> Iterator[tuple[_Node, int]]:
    """Every node on the way and how many segments lead to it: the longest prefix first, what is spelled out before
    variables."""
    if at < len(segments):
        fixed = node.fixed.get(segments[at])
        if fixed is not None:
            yield from _reached(fixed, segments, at + 1)
        if node.variable is not None and segments[at]:
            yield from _reached(node.variable, segments, at + 1)
    yield node, at


def _has_more(segments: Sequence[str], at: int) -> bool:
    """A greedy variable takes at least one character."""
    return at + 1 < len(segments) or (at < len(segments) and bool(segments[at]))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _parameters(route: Route, segments: Sequence[str]) -> dict[str, str]:
    if "{" not in route.path:
        return {}
    found = {}
    for at, part in enumerate(_parts(route.path)):
        if part.endswith("+}"):
            found[part[1:-2]] = "/".join(segments[at:])
        elif part.startswith("{"):
            found[part[1:-1]] = segments[at]
    return found
