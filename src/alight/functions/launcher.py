"""First code in a worker process: close the door behind it, then run the loop that calls the handler.

Run as a script with one argument, the pid of the runtime; the plan of the start comes as JSON on stdin, so that
keys and the API's token never stand in the environment that other processes may read at `/proc/PID/environ`.
Standard library only, and old Python versions too: this runs under the function's interpreter, not Alight's.

What is set: death with the runtime, no new privileges, not readable by its neighbours, adopted grandchildren (so
that whoever is left can be found), resource limits, the cgroup, the fence (see the room of that name). It has to be
done here, in the child: `preexec_fn` is not safe beside threads.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost milliseconds of each start
    from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

#: While a handler is loaded, nearly all that is made stays: a look for garbage in it would cost a seventh of the start.
LOADING = (100_000, 50, 100)
USUAL = gc.get_threshold()


def main() -> None:
    parent = int(sys.argv[1])
    _guard(parent)
    with os.fdopen(os.dup(0), "rb") as stream:
        plan = json.loads(stream.readline())
    if sys.platform == "linux":
        _close_stdin()
    else:
        threading.Thread(target=_die_with_stdin, daemon=True).start()
    if plan["hatch"] is not None:
        os.set_inheritable(plan["hatch"], False)
    _limit(plan)
    if plan["fence"]:
        _load("alight_fence", plan["raising"]).put_up(plan["fence"])
        _guard(parent)  # new credentials may have let go of the death signal
    os.environ.update(plan["environment"])
    os.chdir(plan["task_root"])
    if plan["child"] == "executable":
        os.execve(plan["program"], [plan["program"]], os.environ)
    sys.path[0] = plan["task_root"]
    sys.path[1:1] = plan["layers"]
    sys.path[:0] = plan["instead"]
    sys.path.extend(plan["supplied"])
    _help_interactive_names()
    gc.set_threshold(*LOADING)
    if plan["shortcut"] and "AWS_ENDPOINT_URL" in plan["environment"]:
        sys.meta_path.insert(0, Watch(plan["shortcut"], plan["environment"], plan["hatch"]))
    client = _load("alight_client", plan["client"])
    if plan["child"] == "awslambdaric":
        _run_awslambdaric(client, plan["handler"])
    else:
        _run_own(client, plan["bootstrap"], plan["handler"])


class Watch:
    """Waits until the handler imports botocore, if ever; then the file `shortcut` looks after it (see there)."""

    def __init__(self, path: str, environment: dict[str, str], hatch: int | None) -> None:
        self._path = path
        self._environment = environment
        self._hatch = hatch
        self._shortcut: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith("botocore."):
            return None
        try:
            if self._shortcut is None:
                self._shortcut = self._made()
            return self._shortcut.find_spec(name, path, target)
        except Exception:  # then boto3 takes its own way
            return None

    def _made(self) -> Any:
        home, end, tread = self._environment["AWS_ENDPOINT_URL"], None, None
        if self._hatch is not None:
            folder = os.path.dirname(self._path)
            end = _load("alight_hatch_end", os.path.join(folder, "hatch_end.py")).End(
                self._hatch, home + "/", self._environment
            )
            path = _load("alight_paths", os.path.join(folder, "paths.py")).Path
            tread = _load("alight_trodden", os.path.join(folder, "trodden.py")).Tread(end, path)
        return _load("alight_shortcut", self._path).Shortcut(home, end, tread)


def _guard(parent: int) -> None:
    """Tie this process's life to the runtime's. The signal comes when the *thread* that started us ends."""
    if sys.platform != "linux":
        return
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _limit(plan: dict[str, Any]) -> None:
    if plan["cgroup"]:
        with open(os.path.join(plan["cgroup"], "cgroup.procs"), "w") as file:
            file.write("0")
    for name, value in plan["limits"].items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):  # macOS refuses some; the limit is then simply not there
            continue


def _close_stdin() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _die_with_stdin() -> None:
    """Where there is no death signal: the runtime never writes again, so the end of stdin is the runtime's end."""
    try:
        while os.read(0, 1):
            pass
    finally:
        os._exit(1)


def _help_interactive_names() -> None:
    """`exit()` and `quit()` exist in Lambda; without site packages nobody has defined them."""
    if sys.flags.no_site:
        import site

        site.setquit()
        site.sethelper()


def _run_awslambdaric(client: Any, handler: str) -> None:
    """AWS's own loop over our connection: it goes out by a compiled part of its own elsewhere (see `client`). Its
    report of init errors, which is no part of that, cannot take a path in the address."""
    connection = client.Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    sys.modules["runtime_client"] = client.InPlace(connection)
    from awslambdaric import __main__ as loop
    from awslambdaric import lambda_runtime_client

    def post_init_error(self: Any, error: dict[str, Any], error_type_override: str | None = None) -> None:
        connection.fail_init(json.dumps(error).encode())

    def first_wait(self: Any) -> Any:
        runtime_client.wait_next_invocation = wait
        _loaded()
        return wait(self)

    runtime_client = lambda_runtime_client.LambdaRuntimeClient
    runtime_client.post_init_error = post_init_error
    wait = runtime_client.wait_next_invocation
    runtime_client.wait_next_invocation = first_wait
    # The name under which Lambda's own start script holds the client: packages that watch handlers look for it there.
    globals()["awslambdaricmain"] = loop
    sys.argv = [loop.__file__, handler]
    loop.main(sys.argv)


def _run_own(client: Any, path: str, handler: str) -> None:
    connection = client.Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    _load("alight_bootstrap", path).run(handler, connection, _loaded)


def _loaded() -> None:
    """The handler is loaded: garbage is looked for as usual, or as the handler has it."""
    if gc.get_threshold() == LOADING:
        gc.set_threshold(*USUAL)


def _load(name: str, path: str) -> Any:
    """A file of Alight's as a module that no import finds."""
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    loader = SourceFileLoader(name, path)
    module = ModuleType(name)
    module.__file__ = path
    loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
