"""The process of one replica: one model, GET /ping and POST /invocations over a Unix socket.

    python -m alight.endpoints.replica --socket S --model DIR

The main thread reads the requests (`inbox`), asks the model and writes the answers: nothing is handed from thread to
thread, and a script finds itself on the main thread, where libraries expect to be. A model that answers several
requests in one run is given those that have arrived; it never waits for more.

The process gives up rights before it loads anything: no new privileges, no core files, limits on files and
address space, and it dies with its parent.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

from alight.endpoints import batch, formats, heap
from alight.endpoints.contract import (
    AT_ONCE,
    CANNOT_SERVE,
    FAILED,
    BatchModel,
    CannotServe,
    Model,
    Outcome,
    Refusal,
    Reply,
    Request,
)
from alight.endpoints.inbox import Arrived, Inbox
from alight.endpoints.models.onnx import OnnxModel
from alight.endpoints.models.script import ScriptModel
from alight.endpoints.models.sklearn import SklearnModel
from alight.endpoints.models.tflite import TfliteModel
from alight.endpoints.models.xgboost import XgboostModel

#: Bodies that are taken together end with the one that reaches this size: a large one keeps nobody waiting.
BATCH_BYTES = 1 << 20
#: An outer fence only: ONNX Runtime and numpy reserve far more address space than they use.
ADDRESS_SPACE = max(16 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


Answers = Callable[[Sequence[Request]], list[Outcome]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="alight.endpoints.replica")
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--parent", type=int, default=os.getppid())
    parser.add_argument("--exec", nargs=argparse.REMAINDER, default=[])
    given = parser.parse_args(arguments)
    give_up_rights(given.parent)
    if given.exec:
        become(given.exec)
    try:
        model = open_model(given.model, os.environ)
    except CannotServe as reason:
        sys.stderr.write(" ".join(str(reason).split()) + "\n")
        sys.exit(CANNOT_SERVE)
    heap.give_back()
    serve(given.socket, model)


def become(command: list[str]) -> NoReturn:
    """Turn into a foreign model server, which has no more rights than ours."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.exit(CANNOT_SERVE)


def open_model(folder: Path, environment: Mapping[str, str]) -> Model:
    """Load what is in the folder. Raises `CannotServe`."""
    match formats.detect(folder, environment):
        case formats.SCRIPT:
            return ScriptModel.open(folder, environment)
        case formats.XGBOOST:
            return XgboostModel.open(folder, environment)
        case formats.SKLEARN:
            return SklearnModel.open(folder, environment)
        case formats.TFLITE:
            return TfliteModel.open(folder)
    return OnnxModel.open(folder, environment)


def serve(path: Path, model: Model) -> None:
    """Listen and answer until the process is ended."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    most, answers = _manner(model)
    pong = _bytes(Reply(b"", "text/plain", headers={AT_ONCE: str(most)}))
    with contextlib.closing(Inbox(listener, pong)) as inbox:
        while True:
            turn(inbox, most, answers)


def turn(inbox: Inbox, most: int, answers: Answers) -> None:
    """Wait for a request, take those that came with it, answer them."""
    _answer(batch.gather(inbox.wait(), inbox.more, lambda item: len(item.request.body), most, BATCH_BYTES), answers)


def _manner(model: Model) -> tuple[int, Answers]:
    """How many requests the model takes at once, and what answers them."""
    if isinstance(model, BatchModel):
        return model.at_once, model.answer_many
    return 1, lambda requests: [batch.attempt(model.answer, request) for request in requests]


def _answer(taken: Sequence[Arrived], answers: Answers) -> None:
    """Answer each, in one piece per connection."""
    try:
        outcomes = answers([arrived.request for arrived in taken])
    except Exception as error:  # a fault of the model that `answer_many` did not keep to its request
        outcomes = [error] * len(taken)
    pieces: dict[socket.socket, list[bytes]] = {}
    for arrived, outcome in zip(taken, outcomes, strict=True):
        reply = _reply(outcome)
        if reply.stream is not None:
            _send_on(arrived.connection, reply, reply.stream)
        else:
            pieces.setdefault(arrived.connection, []).append(_bytes(reply))
    for connection, parts in pieces.items():
        _send(connection, b"".join(parts))


def give_up_rights(parent: int) -> None:
    """No new privileges, no core files, bounded files and memory, no life without the parent."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)  # it died before the signal was armed
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 1024)
    if sys.platform == "linux":
        _limit(resource.RLIMIT_AS, ADDRESS_SPACE)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (least, least))


def _follow(parent: int) -> None:
    """The death signal is Linux's, and is lost where the parent's thread ended first; this works anywhere."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _reply(outcome: Outcome) -> Reply:
    if isinstance(outcome, Reply):
        return outcome
    if isinstance(outcome, Refusal):
        return Reply(json.dumps({"error": outcome.message}).encode(), "application/json", outcome.status)
    text = "".join(traceback.format_exception(outcome))
    sys.stderr.write(text)
    return Reply(text.encode(), "text/plain", 500)


def _send_on(connection: socket.socket, reply: Reply, stream: Iterator[bytes]) -> None:
    """Chunk by chunk, as the model makes them. Where it fails in the middle, a trailer says so."""
    end = b""
    _send(connection, _head(reply, "Transfer-Encoding: chunked"))
    try:
        for part in stream:
            if part:
                _send(connection, b"%x\r\n%b\r\n" % (len(part), part))
    except Exception as error:  # the user's code may raise anything
        traceback.print_exc()
        why = " ".join(f"{type(error).__name__}: {error}".split())
        end = f"{FAILED}: {why[:1024]}\r\n".encode("latin-1", "replace")
    _send(connection, b"0\r\n" + end + b"\r\n")


def _bytes(reply: Reply) -> bytes:
    return _head(reply, f"Content-Length: {len(reply.body)}") + reply.body


def _head(reply: Reply, framing: str) -> bytes:
    phrase = HTTPStatus(reply.status).phrase if reply.status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [
        f"HTTP/1.1 {reply.status} {phrase}",
        f"Content-Type: {reply.content_type}",
        framing,
        *(f"{name}: {value}" for name, value in reply.headers.items()),
    ]
    head = "\r\n".join(" ".join(line.splitlines()) for line in lines) + "\r\n\r\n"
    return head.encode("latin-1", "replace")


def _send(connection: socket.socket, answer: bytes) -> None:
    try:
        connection.sendall(answer)
    except OSError:  # nobody waits any more; the inbox comes to see the end, and closes it
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
