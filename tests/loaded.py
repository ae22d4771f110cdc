"""The aws command line without its start: half a second of processor time for each of the hundreds of commands that the
tests type. What a command does stays what the installed program does (`forking.py`). `tests/walk/test_birds.py` types
with the programs themselves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from tests.support import clean_environment, find_tool, sweep

#: `loaded("aws2")`: the path of a program that does what the tool does.
Loaded = Callable[[str], str]

SERVER = Path(__file__).with_name("forking.py")
#: The program that takes the tool's place: hands its words and streams over, and ends as the command has ended.
CALLER = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    text = json.dumps({{"words": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}).encode()
    text = len(text).to_bytes(4, "big") + text
    server.sendall(text[socket.send_fds(server, [text], [0, 1, 2]):])
    code = server.recv(1)
os._exit(code[0] if code else 255)
"""


@contextmanager
def loading(folder: Path) -> Iterator[Loaded]:
    """Each tool is loaded when it is first asked for, and unloaded at the end."""
    with ExitStack() as exits:

        @cache
        def loaded(tool: str) -> str:
            program = find_tool(tool)
            assert program is not None, f"{tool} is not installed"
            interpreter = _interpreter(program)
            return exits.enter_context(_served(interpreter, folder / tool)) if interpreter else program

        yield loaded


def _interpreter(program: str) -> str | None:
    """The Python that a script names in its first line; None where the program is no such script."""
    with open(program, "rb") as file:
        first = file.readline(200)
    words = first.removeprefix(b"#!").decode(errors="replace").split()
    return words[0] if first.startswith(b"#!") and len(words) == 1 and "python" in words[0] else None


@contextmanager
def _served(interpreter: str, program: Path) -> Iterator[str]:
    address = str(program.with_suffix(".socket"))
    program.write_text(CALLER.format(python=sys.executable, address=address))
    program.chmod(0o755)
    server = subprocess.Popen(
        [interpreter, "-I", str(SERVER), address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(LANG="C.UTF-8"),
        start_new_session=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        with server.stdin:
            assert server.stdout.readline() == "loaded\n", f"{interpreter} has no aws command line"
            yield str(program)
    finally:
        sweep(server)
