"""The short way home of a worker's boto3: the same calls, bytes and errors, for less of the processor.

The launcher loads this file once a handler imports botocore, whatever version the function brings, and changes a few
of its parts as they are imported. What goes to the runtime's own address is sent over a plain connection that stays
open, past urllib3's pools and the parser for e-mail headers; what goes anywhere else, through a proxy, from a file or
with `Expect` takes botocore's own way. What would be signed with the worker's own keys goes by its hatch instead, where
there is one (`hatch_end.py`). A change that does not fit the botocore at hand is left out, and so is everything where
the setting `quick_boto3` is off. Retries, events and parsers stay botocore's, and signatures wherever one is needed.

Standard library only, and old Python versions too: this runs under the function's interpreter.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import os
import re
import select
import socket
import sys
from importlib.machinery import PathFinder, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Connections that are kept open between calls.
IDLE = 10
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT")


class Shortcut:
    """`home` is the runtime's address, `http://HOST:PORT`; `end` the worker's end of its hatch, where it has one, and
    `tread` lays the trodden path to it."""

    def __init__(self, home: str, end: Any = None, tread: Any = None) -> None:
        self._end = end
        self._changes: dict[str, Callable[[Any], None]] = {
            "botocore.httpsession": functools.partial(send_home, Home(home), end),
            "botocore.awsrequest": remember_header_names,
            "botocore.useragent": functools.partial(remember, "sanitize_user_agent_string_component"),
            "botocore.auth": self._change_signers,
            "botocore.parsers": read_http_dates,
        }
        if tread is not None:
            self._changes["botocore.client"] = tread.lay

    def find_spec(self, name: str, path: Any, target: Any) -> Any:
        """As a finder of modules: those that are changed, with a loader that changes them once they are loaded."""
        change = self._changes.get(name)
        spec = PathFinder.find_spec(name, path, target) if change else None
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            try:
                change(module)  # type: ignore[misc]
            except Exception:  # another botocore than those that are known: it stays as it is
                return

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _change_signers(self, module: Any) -> None:
        remember("_host_from_url", module)
        if self._end is not None:
            self._end.lay(module)


# What is worked out once ---------------------------------------------------------------------------------------------


def remember(name: str, module: Any) -> None:
    """A function of texts alone, which botocore calls a dozen times a call with the same ones."""
    setattr(module, name, functools.lru_cache(maxsize=512)(getattr(module, name)))


def remember_header_names(module: Any) -> None:
    """Names of headers, in botocore's own class for them; and a look for one that is not there raises nothing."""
    kind = module.HeadersDict
    key_of = functools.lru_cache(maxsize=512)(module._HeaderKey)
    if kind({"Some-Name": "value"})._dict != {key_of("some-name"): "value"}:
        return

    def getitem(self: Any, name: str) -> Any:
        return self._dict[key_of(name)]

    def setitem(self: Any, name: str, value: Any) -> None:
        self._dict[key_of(name)] = value

    kind.__getitem__, kind.__setitem__ = getitem, setitem
    kind.__contains__ = lambda self, name: key_of(name) in self._dict
    kind.get = lambda self, name, default=None: self._dict.get(key_of(name), default)


def read_http_dates(module: Any) -> None:
    """`Sun, 29 Nov 2026 09:00:00 GMT`, as HTTP writes dates, without trying every form there is."""
    any_date = module.DEFAULT_TIMESTAMP_PARSER
    sample = any_date("Thu, 01 Jan 1970 00:00:00 GMT")

    def parse(value: Any) -> Any:
        found = _HTTP_DATE.fullmatch(value) if isinstance(value, str) else None
        if found is None or found.group(2) not in MONTHS:
            return any_date(value)
        day, month, year, *time = found.groups()
        try:
            return sample.__class__(int(year), MONTHS.index(month) + 1, int(day), *map(int, time), tzinfo=sample.tzinfo)
        except ValueError:
            return any_date(value)

    module.DEFAULT_TIMESTAMP_PARSER = parse


# The connection ------------------------------------------------------------------------------------------------------


class Line:
    """One connection to the runtime."""

    def __init__(self, address: tuple[str, int], timeout: float | None) -> None:
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer: Answer | None = None
        self._heard = select.poll()
        self._heard.register(self.socket, select.POLLIN)

    @property
    def silent(self) -> bool:
        """Nothing has come that nobody waits for: the end of the connection, most of all."""
        return self.socket.fileno() >= 0 and not self._heard.poll(0)

    @property
    def spent(self) -> bool:
        """Whether its answer was read to the end, and another may follow."""
        answer = self.answer
        return answer is not None and answer.length == 0 and not answer.chunked and not answer.will_close

    def ask(self, method: str, data: bytes, timeout: float | None) -> Answer:
        self.socket.settimeout(timeout)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before reading all
            self.socket.sendall(data)
        self.answer = Answer(self.socket, method=method)
        self.answer.begin()
        return self.answer

    def close(self) -> None:
        self.socket.close()


class Answer(http.client.HTTPResponse):
    """Python's own, with a shorter way through the head."""

    def begin(self) -> None:
        while True:
            words = self._line().split(None, 2)
            if len(words) < 2 or not words[0].startswith(b"HTTP/1."):
                raise http.client.BadStatusLine(repr(words))
            self.status = self.code = int(words[1])
            self.reason = words[2].decode("latin-1") if len(words) > 2 else ""
            fields = self._fields()
            if self.status >= 200:
                break
        self.version = 11
        self.fields = dict(fields.values())
        say = {lower: value.lower() for lower, (_, value) in fields.items()}
        self.chunked = say.get("transfer-encoding") == "chunked"
        self.chunk_left = None
        length = say.get("content-length", "")
        self.length = int(length) if length.isdigit() and not self.chunked else None
        if self.status in (204, 304) or self._method == "HEAD":  # type: ignore[attr-defined]
            self.length = 0
        self.will_close = say.get("connection") == "close" or (self.length is None and not self.chunked)
        self.headers = self.msg = http.client.HTTPMessage()

    def _fields(self) -> dict[str, tuple[str, str]]:
        """By their lower-case names; a name that comes again adds to the first."""
        found: dict[str, tuple[str, str]] = {}
        for line in iter(self._line, b""):
            name, _, value = line.decode("latin-1").partition(":")
            name, value = name.strip(), value.strip()
            lower = name.lower()
            found[lower] = (found[lower][0], f"{found[lower][1]}, {value}") if lower in found else (name, value)
        return found

    def _line(self) -> bytes:
        line = self.fp.readline(65537)
        if not line:
            raise http.client.RemoteDisconnected("Remote end closed connection without response")
        return line.rstrip(b"\r\n")


class Home:
    """The runtime's address, and the connections to it. Also what urllib3's responses know as their pool."""

    def __init__(self, home: str) -> None:
        self.prefix = home + "/"
        self.host = home.partition("://")[2]
        name, _, port = self.host.rpartition(":")
        self._address = (name.strip("[]"), int(port))
        self._idle: list[Line] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._idle.clear)

    def line(self, timeout: float | None) -> Line:
        while self._idle:
            line = self._idle.pop()
            if line.silent:
                return line
            line.close()
        return Line(self._address, timeout)

    def take_back(self, line: Line) -> None:
        if line.spent and line.socket.fileno() >= 0 and len(self._idle) < IDLE:
            self._idle.append(line)
        else:
            line.close()

    _put_conn = take_back

    def head(self, request: Any) -> bytes | None:
        """The request up to its body; None where it should take botocore's own way."""
        target = request.url[len(self.prefix) - 1 :]
        headers = request.headers
        if " " in target or "#" in target or ";" in target or "Expect" in headers or "Transfer-Encoding" in headers:
            return None
        lines = [f"{request.method} {target} HTTP/1.1".encode("ascii")]
        if "Host" not in headers:
            lines.append(b"Host: " + self.host.encode())
        if "Accept-Encoding" not in headers:
            lines.append(b"Accept-Encoding: identity")
        for name, value in headers.items():
            lines.append(
                name.encode("ascii") + b": " + (value if isinstance(value, bytes) else value.encode("latin-1"))
            )
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        breaks = len(lines) - 1
        return head if head.count(b"\r") == head.count(b"\n") == breaks else None


# The session ---------------------------------------------------------------------------------------------------------


def send_home(home: Home, end: Any, module: Any) -> None:
    """Change botocore's session over urllib3; `module` is `botocore.httpsession`."""
    own_way = module.URLLib3Session.send
    ask = by_hatch(end, module) if end is not None else None

    @functools.wraps(own_way)
    def send(self: Any, request: Any) -> Any:
        stands = request.headers.get("Authorization")
        if ask is not None and (end.hand.heard is not None or hasattr(stands, "own_way")):
            response = ask(self, request)
            if response is not None:
                return response
            stands.sign(request)
        try:
            planned = plan(home, self, request) if request.url.startswith(home.prefix) else None
        except Exception:
            planned = None
        if planned is None:
            return own_way(self, request)
        data, connect, read = planned
        url = request.url
        try:
            line = home.line(connect)
        except socket.timeout as error:  # noqa: UP041 (before 3.10 they are two)
            raise module.ConnectTimeoutError(endpoint_url=url, error=error) from None
        except OSError as error:
            raise module.EndpointConnectionError(endpoint_url=url, error=error) from None
        try:
            return as_botocore_has_it(home, module, request, line, line.ask(request.method, data, read))
        except socket.timeout as error:  # noqa: UP041
            line.close()
            raise module.ReadTimeoutError(endpoint_url=url, error=error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            line.close()
            raise module.ConnectionClosedError(error=error, request=request, endpoint_url=url) from None
        except BaseException:
            line.close()
            raise

    send.by_hatch = end  # type: ignore[attr-defined]
    module.URLLib3Session.send = send


def by_hatch(end: Any, module: Any) -> Callable[[Any, Any], Any]:
    """Asks by the hatch; None says that the request has to take the usual way."""

    def ask(session: Any, request: Any) -> Any:
        heard, end.hand.heard = end.hand.heard, None
        try:
            if isinstance(heard, Exception):
                raise heard
            if heard is None:
                if session._proxy_config.proxy_url_for(request.url) is not None:
                    return None
                _, read = limits(session, request)
                if not (read is None or isinstance(read, (int, float))):
                    return None
                heard = end.ask(request, read)
        except socket.timeout as error:  # noqa: UP041
            raise module.ReadTimeoutError(endpoint_url=request.url, error=error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise module.ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from None
        if heard is None:
            return None
        if not request.stream_output:
            return whole(request, heard)
        raw = end.stream(request, heard)
        return module.botocore.awsrequest.AWSResponse(request.url, heard.status, heard.fields, raw)

    class Whole(module.botocore.awsrequest.AWSResponse):  # type: ignore[misc]
        """Read already; urllib3's object is made for whoever looks at it."""

        made: Any = None

        @property
        def raw(self) -> Any:
            return self.made()

        @raw.setter
        def raw(self, made: Any) -> None:
            self.made = made

    def whole(request: Any, heard: Any) -> Any:
        made = functools.partial(raw_of, request, heard, io.BytesIO(heard.body))
        response = Whole(request.url, heard.status, heard.fields, functools.lru_cache(maxsize=1)(made))
        response._content = heard.body
        return response

    return ask


def limits(session: Any, request: Any) -> tuple[Any, Any]:
    """Seconds for connecting and for reading."""
    found = session._get_request_timeout(request) if hasattr(session, "_get_request_timeout") else None
    found = found or session._timeout
    return found.connect_timeout, found.read_timeout


def plan(home: Home, session: Any, request: Any) -> tuple[bytes, float | None, float | None] | None:
    """What to send, and the limits for connecting and for reading; None for botocore's own way."""
    body = request.body
    if not (body is None or isinstance(body, (bytes, bytearray, str))):
        return None
    if session._proxy_config.proxy_url_for(request.url) is not None:
        return None
    connect, read = limits(session, request)
    head = home.head(request)
    if head is None or not all(limit is None or isinstance(limit, (int, float)) for limit in (connect, read)):
        return None
    return head + (body.encode() if isinstance(body, str) else bytes(body or b"")), connect, read


def as_botocore_has_it(home: Home, module: Any, request: Any, line: Line, answer: Answer) -> Any:
    """The answer in botocore's and urllib3's classes, for whoever looks into them: read already, or a stream."""
    more: dict[str, Any] = {"original_response": answer, "pool": home, "connection": line}
    body: Any = answer
    if not request.stream_output:
        body, more = io.BytesIO(answer.read()), {}
        home.take_back(line)
    raw = raw_of(request, answer, body, **more)
    return module.botocore.awsrequest.AWSResponse(request.url, answer.status, answer.fields, raw)


def raw_of(request: Any, answer: Any, body: Any, **more: Any) -> Any:
    return sys.modules["urllib3"].HTTPResponse(
        body=body, headers=answer.fields, status=answer.status, version=11, reason=answer.reason,
        preload_content=False, decode_content=False, enforce_content_length=False,
        request_method=request.method, **more,
    )  # fmt: skip
