"""First code in a worker process: close the door behind it, then run the loop that calls the handler.

Run as a script with one argument, the pid of the runtime; the plan of the start comes as JSON on stdin, so that
keys and the API's token never stand in the environment that other processes may read at `/proc/PID/environ`.
Standard library only, and old Python versions too: this runs under the function's interpreter, not Alight's.

What is set: death with the runtime, no new privileges, not readable by its neighbours, adopted grandchildren (so
that whoever is left can be found), resource limits, the cgroup. It has to be done here, in the child: `preexec_fn`
is not safe beside threads.
"""

from __future__ import annotations

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


def main() -> None:
    parent = int(sys.argv[1])
    _guard(parent)
    with os.fdopen(os.dup(0), "rb") as stream:
        plan = json.loads(stream.readline())
    if sys.platform == "linux":
        _close_stdin()
    else:
        threading.Thread(target=_die_with_stdin, daemon=True).start()
    _limit(plan)
    os.environ.update(plan["environment"])
    os.chdir(plan["task_root"])
    if plan["child"] == "executable":
        os.execve(plan["program"], [plan["program"]], os.environ)
    sys.path[0] = plan["task_root"]
    sys.path[1:1] = plan["layers"]
    sys.path[:0] = plan["instead"]
    sys.path.extend(plan["supplied"])
    _help_interactive_names()
    if plan["child"] == "awslambdaric":
        _run_awslambdaric(plan["handler"])
    else:
        _run_own(plan["bootstrap"], plan["handler"])


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


def _run_awslambdaric(handler: str) -> None:
    """AWS's own client. Its report of init errors cannot take a path in the address, so it gets ours."""
    from awslambdaric import __main__ as client
    from awslambdaric import lambda_runtime_client

    def post_init_error(self: Any, error: dict[str, Any], error_type_override: str | None = None) -> None:
        _post_init_error(error, error_type_override or error.get("errorType") or "")

    lambda_runtime_client.LambdaRuntimeClient.post_init_error = post_init_error
    # The name under which Lambda's own start script holds the client: packages that watch handlers look for it there.
    globals()["awslambdaricmain"] = client
    sys.argv = [client.__file__, handler]
    client.main(sys.argv)


def _post_init_error(error: dict[str, Any], error_type: str) -> None:
    import http.client

    address, _, token = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
    connection = http.client.HTTPConnection(address, timeout=10)
    headers = {"Lambda-Runtime-Function-Error-Type": error_type, "Content-Type": "application/json"}
    connection.request("POST", "/" + token + "/2018-06-01/runtime/init/error", json.dumps(error), headers)
    connection.getresponse().read()
    connection.close()


def _run_own(path: str, handler: str) -> None:
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    loader = SourceFileLoader("alight_bootstrap", path)
    module = ModuleType("alight_bootstrap")
    module.__file__ = path
    loader.exec_module(module)
    module.run(handler)


if __name__ == "__main__":
    main()
