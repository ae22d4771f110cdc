"""The aws command line, loaded once: run by the interpreter of an installed `aws`, with nothing but what it has.

`python -I forking.py SOCKET` says `loaded`, and forks for each command that comes by the socket: words, environment,
folder and the three streams of the caller. What then runs is what the program itself runs, `awscli.clidriver.main()`;
only the start, most of a command's time, has been paid. It ends with its standard input, so with who has started it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import sys
from typing import Any, NoReturn

SIZE = 4


def serve(path: str) -> None:
    from awscli import clidriver  # type: ignore[import-untyped, unused-ignore]

    clidriver.create_clidriver()  # loads what every command needs; each makes its own, from its own environment
    place = os.environ["AWS_DATA_PATH"]  # set by awscli as it is imported
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        os.write(1, b"loaded\n")
        while True:
            if 0 in select.select([listener.fileno(), 0], [], [])[0]:
                return
            caller, _ = listener.accept()
            with caller, contextlib.suppress(ChildProcessError):
                if os.fork() == 0:
                    run(clidriver.main, place, caller)
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def run(main: Any, place: str, caller: socket.socket) -> NoReturn:
    """Become the caller's command, and tell it the exit code."""
    code = 255
    try:
        given = read(caller)
        os.chdir(given["folder"])
        os.environ.clear()
        os.environ.update({**given["environment"], "AWS_DATA_PATH": place})
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["aws", *given["words"]]
        code = main() or 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 1
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            caller.send(bytes([code]))
        os._exit(code)


def read(caller: socket.socket) -> Any:
    """What is to run; the caller's streams are this process's from here on."""
    text, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    size = SIZE + int.from_bytes(text[:SIZE], "big")
    while len(text) < size:
        text += caller.recv(1 << 20)
    return json.loads(text[SIZE:])


if __name__ == "__main__":
    serve(sys.argv[1])
