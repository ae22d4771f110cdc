"""The environment that a handler sees: Lambda's reserved variables, the function's own, and the way home.

In two parts. The first stands in the process's environment from its start, where neighbours of the same user could
read it; keys and the API's token are in the second, which travels by stdin.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from alight.functions.interpreters import Interpreter
from alight.functions.invocation import FunctionSpec
from alight.names import REGION
from alight.quiet import NO_TELEMETRY

#: What a function's own variables may change; all other reserved names stay as they are.
_CHANGEABLE = ("LANG", "LD_LIBRARY_PATH", "PATH", "TZ", "PYTHONPATH", "NODE_PATH", "AWS_ENDPOINT_URL", "HOME")


def public_variables(
    spec: FunctionSpec, *, stream: str, scratch: Path, interpreter: Interpreter, runtime_dir: Path
) -> dict[str, str]:
    """Everything but secrets. `scratch` is the worker's own temporary folder."""
    reserved = {
        "_HANDLER": spec.handler,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LAMBDA_TASK_ROOT": str(spec.code_dir),
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        "TMPDIR": str(scratch),
        # Whoever runs Alight may have profiles of a real account; handlers must not find them.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    if (execution := _execution_environment(spec.runtime)) is not None:
        reserved["AWS_EXECUTION_ENV"] = execution
    layers = {"ALIGHT_OPT": str(spec.opt)} if spec.opt else {}
    changeable = {
        **NO_TELEMETRY,
        "HOME": str(scratch),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"{spec.code_dir}:{spec.code_dir}/lib" + (f":{spec.opt}/lib" if spec.opt else ""),
        "PATH": f"{interpreter.path.parent}:/usr/local/bin:/usr/bin:/bin" + (f":{spec.opt}/bin" if spec.opt else ""),
        "TZ": ":UTC",
    }
    own = {name: value for name, value in spec.environment.items() if name in _CHANGEABLE or name not in reserved}
    return changeable | own | reserved | layers


def private_variables(
    spec: FunctionSpec, *, api: str, credentials: Mapping[str, str], endpoint_url: str
) -> dict[str, str]:
    """The address of the Runtime API with its token, and the worker's session key."""
    home = {} if "AWS_ENDPOINT_URL" in spec.environment else {"AWS_ENDPOINT_URL": endpoint_url}
    return {**home, **credentials, "AWS_LAMBDA_RUNTIME_API": api}


def _execution_environment(runtime: str) -> str | None:
    """From 3.12 on, awslambdaric would take a new thread for each call on seeing this name; so it is left away."""
    major, _, minor = runtime.removeprefix("python").partition(".")
    if not runtime.startswith("python") or not minor.isdigit() or (int(major), int(minor)) >= (3, 12):
        return None
    return f"AWS_Lambda_{runtime}"
