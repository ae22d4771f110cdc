"""The worker's end of its hatch (see `hatch.py`): calls home without a signature, as the runtime knows who asks here.

Only what boto3 would sign with the worker's own keys, for the runtime's own address and region, comes this way, one
call at a time. For a request with other keys, a large one, or a second at the same time the signature is made after
all.

Standard library only, and old Python versions too: this runs under the function's interpreter.
"""

from __future__ import annotations

import functools
import http.client
import io
import os
import socket
import struct
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: Bytes of a body that comes this way, and of a streamed answer that is read at once.
BODY_LIMIT = 1024 * 1024
HEAD_LIMIT = 64 * 1024
AT_ONCE = 1024 * 1024
_ASK = struct.Struct("!II")
_HEARD = struct.Struct("!HIQ")


class Later(bytes):
    """Stands where a signature would stand, until it is known which way the request goes. Bytes, as botocore makes new
    ones of texts."""

    auth: Any
    context: Any
    own_way: Callable[[Any, Any], None]

    def sign(self, request: Any) -> None:
        """Sign a prepared request after all."""
        del request.headers["Authorization"]
        # Prepared, they are bytes; signers take texts.
        headers = {name: _text(value) for name, value in request.headers.items()}
        again = sys.modules["botocore.awsrequest"].AWSRequest(
            method=request.method, url=request.url, headers=headers, data=request.body
        )
        again.context = self.context
        self.own_way(self.auth, again)
        for name, value in again.headers.items():
            request.headers[name] = value


class Hand(threading.local):
    """What one thread holds: an answer (or error) that was heard already, and where to keep what is asked and heard."""

    heard: Any = None
    seen: Any = None


class Heard:
    """An answer; `body` is bytes, or a `Rest` that is still to be read."""

    def __init__(self, status: int, fields: dict[str, str], body: Any) -> None:
        self.status, self.fields, self.body = status, fields, body
        self.reason = http.client.responses.get(status, "")


class End:
    """`prefix` is the runtime's address with a slash; `environment` has the worker's own keys."""

    def __init__(self, descriptor: int, prefix: str, environment: Mapping[str, str]) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._file = self._socket.makefile("rb", 65536)
        self._prefix = prefix
        self._host = prefix.partition("://")[2][:-1]
        self._own = tuple(environment.get("AWS_" + name) for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
        self._token = environment.get("AWS_SESSION_TOKEN")
        self._region = os.environ.get("AWS_REGION")
        self._limit: float | None = None
        self.hand = Hand()
        self._free = threading.Lock()
        self._open = True
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.shut)

    def shut(self) -> None:
        """From here on every call takes the usual way. Asks for no lock: it is the first thing in a forked child."""
        if self._open:
            self._open = False
            os.close(self._socket.detach())

    def lay(self, module: Any) -> None:
        """Change botocore's signers; `module` is `botocore.auth`."""
        own_way = module.SigV4Auth.add_auth
        kinds = (module.SigV4Auth, module.S3SigV4Auth)

        def add_auth(auth: Any, request: Any) -> None:
            text = self._stands_for(auth, request) if type(auth) in kinds else None
            if text is None:
                own_way(auth, request)
                return
            later = Later(text.encode())
            later.auth, later.context, later.own_way = auth, request.context, own_way
            if "Authorization" in request.headers:
                del request.headers["Authorization"]
            request.headers["Authorization"] = later

        module.SigV4Auth.add_auth = add_auth

    def _stands_for(self, auth: Any, request: Any) -> str | None:
        """What is sent in place of a signature; None where there has to be one."""
        keys = auth.credentials
        if not self._open or not request.url.startswith(self._prefix) or auth._region_name != self._region:
            return None
        if not self.is_own(keys):
            return None
        send = sys.modules["botocore.httpsession"].URLLib3Session.send
        if getattr(send, "by_hatch", None) is not self:  # somebody else sends: they cannot know what this stands for
            return None
        data = request.data
        if not isinstance(data, (bytes, bytearray, str, dict, type(None))) or len(data or ()) > BODY_LIMIT:
            return None
        scope: str = keys.access_key + "/00000000/" + self._region + "/" + auth._service_name
        return "AWS4-HMAC-SHA256 Credential=" + scope + "/aws4_request"

    def is_own(self, keys: Any) -> bool:
        """Whether these are the worker's own keys."""
        return keys is not None and keys.token == self._token and (keys.access_key, keys.secret_key) == self._own

    def ask(self, request: Any, timeout: float | None) -> Heard | None:
        """None where nothing was done, and the request has to take the usual way."""
        asked = self._written(request)
        if asked is None:
            return None
        heard = self.exchange(*asked, timeout, request.stream_output)
        if self.hand.seen is not None:
            self.hand.seen.append((request, asked, heard, timeout))
        return heard

    def exchange(self, head: bytes, body: bytes, timeout: float | None, is_streamed: bool) -> Heard | None:
        """As `ask`, with head and body of a call."""
        if not self._free.acquire(False):
            return None
        rest = None
        try:
            if not self._open:
                return None
            if timeout != self._limit:
                self._socket.settimeout(timeout)
                self._limit = timeout
            self._socket.sendall(b"".join((_ASK.pack(len(head), len(body)), head, body)))
            status, size, length = _HEARD.unpack(self._exactly(_HEARD.size))
            if status == 0:
                return None
            fields = _fields(self._exactly(size).decode("latin-1"))
            if is_streamed and length > AT_ONCE:
                rest = Rest(self, self._file, length)
                return Heard(status, fields, rest)
            return Heard(status, fields, self._exactly(length) if length else b"")
        except BaseException:
            self.shut()
            raise
        finally:
            if rest is None:
                self._free.release()

    def stream(self, request: Any, heard: Heard) -> Any:
        """The raw stream of an answer, in urllib3's class."""
        kind = sys.modules["urllib3"].HTTPResponse
        if not isinstance(heard.body, bytes):
            return kind(**_parts(request, heard, heard.body))
        return unmade(kind)(request, heard)

    def free(self, is_spent: bool) -> None:
        """A streamed answer was read, or left: what is left of it would stand before the next one."""
        if not is_spent:
            self.shut()
        self._free.release()

    def _exactly(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        if len(data) < size:
            raise http.client.RemoteDisconnected("Remote end closed connection without response")
        return data

    def _written(self, request: Any) -> tuple[bytes, bytes] | None:
        target = request.url[len(self._prefix) - 1 :]
        if " " in target or "#" in target or ";" in target:
            return None
        lines = [request.method + " " + target, "host:" + self._host]
        for name, value in request.headers.items():
            if name.lower() in ("expect", "transfer-encoding", "host"):
                return None
            lines.append(name + ":" + _text(value))
        body = request.body
        if not (body is None or isinstance(body, (bytes, bytearray, str))):
            return None
        body = body.encode() if isinstance(body, str) else bytes(body or b"")
        try:
            head = "\n".join(lines).encode("latin-1")
        except UnicodeEncodeError:
            return None
        if b"\r" in head or head.count(b"\n") != len(lines) - 1 or len(head) > HEAD_LIMIT or len(body) > BODY_LIMIT:
            return None
        return head, body


class Rest(io.RawIOBase):
    """A large body, read as it is wanted."""

    def __init__(self, end: End, file: Any, left: int) -> None:
        super().__init__()
        self._end, self._file, self._left = end, file, left

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        size = self._left if size is None or size < 0 else min(size, self._left)
        try:
            data: bytes = self._file.read(size) if size else b""
        except BaseException:
            self.close()
            raise
        self._left -= len(data)
        if len(data) < size:
            missing = self._left
            self.close()
            raise http.client.IncompleteRead(data, missing)
        if not self._left:
            self.close()
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._end.free(self._left == 0)


@functools.lru_cache(maxsize=4)
def unmade(kind: Any) -> Any:
    """Urllib3's class of responses, made only when somebody does more than read them at once."""

    class HTTPResponse(kind):  # type: ignore[misc]
        def __init__(self, request: Any, heard: Heard) -> None:
            self.__dict__["unmade"] = (request, heard, False)

        def __getattr__(self, name: str) -> Any:
            """Asked for what is not there: once it is made, all is."""
            unmade = self.__dict__.pop("unmade", None)
            if unmade is None:
                raise AttributeError(name)
            request, heard, was_read = unmade
            kind.__init__(self, **_parts(request, heard, io.BytesIO(heard.body)))
            if was_read:
                kind.read(self)
            return getattr(self, name)

        def read(self, amt: int | None = None, *more: Any, **named: Any) -> Any:
            unmade = self.__dict__.get("unmade")
            if unmade is None or amt is not None or more or named:
                return kind.read(self, amt, *more, **named)
            request, heard, was_read = unmade
            self.__dict__["unmade"] = (request, heard, True)
            return b"" if was_read else heard.body

        def __del__(self) -> None:
            if "unmade" not in self.__dict__:
                super().__del__()

    return HTTPResponse


def _parts(request: Any, heard: Heard, body: Any) -> dict[str, Any]:
    return {
        "body": body, "headers": heard.fields, "status": heard.status, "version": 11, "reason": heard.reason,
        "preload_content": False, "decode_content": False, "enforce_content_length": False,
        "request_method": request.method,
    }  # fmt: skip


def _text(value: Any) -> str:
    """Bytes keep their numbers until they are sent."""
    text: str = value.decode("latin-1") if isinstance(value, bytes) else value
    return text


def _fields(text: str) -> dict[str, str]:
    """A name that comes again adds to the first."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        found[name] = found[name] + ", " + value if name in found else value
    return found
