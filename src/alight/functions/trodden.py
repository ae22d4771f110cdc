"""The trodden path: a plain call that has gone through botocore once goes straight to the hatch from then on.

What botocore does for a call, apart from sending it, comes out the same each time: endpoint, user agent, headers, hooks
that have nothing to do. So the first call of each kind (an operation with these parameters) goes the long way and is
watched. Where a request that is written here and an answer that is read here are the same as botocore's, the next calls
need no more than that. What is not as plain as the call that was watched goes the long way; so does every answer but a
plain success, and then botocore is given what was heard instead of asking again, so that errors, retries and their
hooks are its own. Who hooks in, logs, records or changes botocore's parts finds the long way, too.

Standard library only, and old Python versions too: this runs under the function's interpreter.
"""

from __future__ import annotations

import functools
import logging
import sys
import uuid
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from alight.functions.paths import Path

#: Kinds of calls that are remembered of one client, how often each is watched until it counts as not plain, and how
#: often the client's hooks may change.
KINDS = 64
TRIES = 3
CHANGES = 8
#: What is passed by. Tools that watch botocore put their own functions in these places.
PARTS = (
    ("botocore.client", "BaseClient", "_convert_to_request_dict", "_emit_api_params", "_make_request"),
    ("botocore.client", "BaseClient", "_resolve_endpoint_ruleset"),
    ("botocore.endpoint", "Endpoint", "_do_get_response", "_get_response", "_needs_retry", "_send", "_send_request"),
    ("botocore.endpoint", "Endpoint", "create_request", "make_request", "prepare_request"),
    ("botocore.hooks", "HierarchicalEmitter", "_emit", "emit", "emit_until_response"),
    ("botocore.httpsession", "URLLib3Session", "send"),
    ("botocore.signers", "RequestSigner", "get_auth_instance", "handler", "sign"),
    ("botocore.auth", "SigV4Auth", "add_auth"),
)
#: They say at DEBUG what they do.
LOGGERS = (
    "auth", "client", "credentials", "endpoint", "handlers", "hooks", "httpchecksum", "parsers", "regions",
    "retries.standard", "retryhandler", "utils",
)  # fmt: skip


class Known:
    """What is known of one client: a path for each kind of call, and how often kinds were found not plain."""

    def __init__(self) -> None:
        self.paths: dict[Any, Path] = {}
        self.odd: dict[Any, int] = {}
        self.changes = 0

    def is_worth_watching(self, kind: Any) -> bool:
        return self.odd.get(kind, 0) < TRIES and self.changes < CHANGES and len(self.paths) + len(self.odd) < KINDS


class Tread:
    """`end` is the worker's end of its hatch, `path` the class of paths (see `paths.py`)."""

    def __init__(self, end: Any, path: type[Path]) -> None:
        self._end = end
        self._path = path
        self._clients: Any = weakref.WeakKeyDictionary()

    def lay(self, module: Any) -> None:
        """Change botocore's clients; `module` is `botocore.client`."""
        self._history = sys.modules["botocore.history"].get_global_history_recorder()
        # Botocores before 1.37 have none.
        self._context = getattr(sys.modules.get("botocore.context"), "get_context", lambda: None)
        self._loggers = [logging.getLogger("botocore." + name) for name in LOGGERS]
        self._parts = []
        for place, kind, *names in PARTS:
            have = vars(getattr(sys.modules[place], kind))
            self._parts += [(have, name, have[name]) for name in names]
        long_way = module.BaseClient._make_api_call

        @functools.wraps(long_way)
        def make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
            call = (long_way, client, operation_name, api_params)
            try:
                kind = (operation_name, *api_params, api_params.get("Bucket"))
                known = self._clients.get(client)
                path = known.paths.get(kind) if known is not None else None
                is_plain = path is not None or known is None or known.is_worth_watching(kind)
                is_plain = is_plain and self._is_open(client) and (path is None or path.is_quiet)
            except Exception:
                is_plain = False
            if not is_plain:
                return long_way(client, operation_name, api_params)
            if path is not None and path.holds:
                return self._walk(path, *call)
            return self._watch(kind, path, *call)

        module.BaseClient._make_api_call = make_api_call

    def _is_open(self, client: Any) -> bool:
        """Whether nobody watches botocore, and the client has the worker's own keys."""
        if self._history._enabled or self._context() is not None:
            return False
        for logger in self._loggers:
            if logger.isEnabledFor(logging.DEBUG):
                return False
        for have, name, part in self._parts:
            if have.get(name) is not part:
                return False
        endpoint = client._endpoint
        if "send" in vars(endpoint.http_session) or "make_request" in vars(endpoint):
            return False
        keys = client._request_signer._credentials.get_frozen_credentials()
        return self._end.is_own(keys) and not endpoint._response_parser_factory._defaults

    def _walk(self, path: Path, long_way: Callable[..., Any], client: Any, name: str, params: Mapping[str, Any]) -> Any:
        try:
            head, body = path.written(params, str(uuid.uuid4()))
        except Exception:
            return long_way(client, name, params)
        hand = self._end.hand
        try:
            heard = self._end.exchange(head, body, path.timeout, path.payload is not None)
        except Exception as error:
            heard = error
        if heard is None:
            return long_way(client, name, params)
        try:
            return path.read(heard, self._end.stream)
        except Exception:  # no plain success: botocore knows what to make of it
            hand.heard = heard
        try:
            return long_way(client, name, params)
        finally:
            left, hand.heard = hand.heard, None
            if hasattr(getattr(left, "body", None), "close"):
                left.body.close()

    def _watch(
        self, kind: Any, path: Path | None, long_way: Callable[..., Any], client: Any, name: str,
        params: Mapping[str, Any],
    ) -> Any:  # fmt: skip
        known = self._clients.setdefault(client, Known())
        if path is not None:  # hooks have changed
            known.paths.clear()
            known.changes += 1
        given, hand = dict(params), self._end.hand
        seen: list[Any] = []
        hand.seen = seen
        try:
            result = long_way(client, name, params)
        finally:
            hand.seen = None
        if len(seen) == 1 and seen[0][2] is not None:
            path = self._learned(client, name, given, result, *seen[0])
            if path is not None:
                known.paths[kind] = path
            else:
                known.odd[kind] = known.odd.get(kind, 0) + 1
        return result

    def _learned(
        self, client: Any, name: str, given: Mapping[str, Any], result: Any, request: Any, asked: Any, heard: Any,
        timeout: Any,
    ) -> Path | None:  # fmt: skip
        try:
            path = self._path(client, name, given, asked[0].decode("latin-1"), request, timeout)
            call_id = request.headers["amz-sdk-invocation-id"].decode()
            said = result["ResponseMetadata"]
            if said["RetryAttempts"]:
                return None
            path.attempts = {name: said[name] for name in ("MaxAttemptsReached", "RetryAttempts") if name in said}
            if path.written(given, call_id) == asked and alike(path.read(heard, self._end.stream), result):
                return path
        except Exception:  # another botocore than those that are known, or no plain call
            return None
        return None


def alike(one: Any, other: Any) -> bool:
    """Equal to whoever looks: of the same types, and in the same order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(alike(one[name], other[name]) for name in one)
    if hasattr(one, "_raw_stream"):
        return all(
            _kind_of(getattr(one, name, None)) == _kind_of(getattr(other, name, None))
            for name in ("_content_length", "_expected", "_checksum", "_amount_read")
        )
    return bool(one == other)


def _kind_of(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int)) else type(value)
