"""Our own loop inside the child: ask for work, call the handler, answer. Standard library only.

It does what AWS's `awslambdaric` does, for machines on which that has no wheel and for interpreters other than
Alight's own: the same context object, the same log format, the same error types.
Two differences: a `Decimal` travels as int or float, and a result with NaN or Infinity is a marshalling error.
"""

from __future__ import annotations

import decimal
import importlib
import json
import logging
import os
import sys
import time
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost milliseconds of each start
    from collections.abc import Callable, Sequence
    from typing import Any

NBSP = "\u00a0"
W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class Fault(Exception):
    """Something that Lambda reports under a `Runtime.` name."""

    def __init__(self, error_type: str, message: str, trace: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.trace = list(trace)


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class Client:
    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")


class ClientContext:
    __slots__ = ("client", "custom", "env")


class LambdaContext:
    """The handler's second argument."""

    def __init__(self, headers: dict[str, Any]) -> None:
        text = headers.get("Lambda-Runtime-Client-Context")
        client_context = json.loads(text) if text else None
        w3c = client_context.pop("w3c", None) if isinstance(client_context, dict) else None
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self.tenant_id = headers.get("Lambda-Runtime-Aws-Tenant-Id")
        self.client_context = _filled(ClientContext, client_context)
        if self.client_context is not None:
            self.client_context.client = _filled(Client, self.client_context.client)
        self.identity = CognitoIdentity()
        self._w3c_fields = {k: v for k, v in (w3c or {}).items() if k in W3C_FIELDS and isinstance(v, str)}
        self._epoch_deadline_time_in_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def w3c(self) -> dict[str, str]:
        return dict(self._w3c_fields)

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class Unbuffered:
    """Every write reaches the pipe before the answer does, which is what ties output to its request."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

    def writelines(self, lines: Any) -> None:
        self.stream.writelines(lines)
        self.stream.flush()


class RequestFilter(logging.Filter):
    """Puts the current request's id on each record."""

    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        return True


def run(handler_name: str, connection: Any, loaded: Callable[[], None] = lambda: None) -> None:
    """Serve until the runtime goes away; `connection` is one of `client`. An error while loading the handler is
    reported, then the process ends."""
    sys.stdout, sys.stderr = Unbuffered(sys.stdout), Unbuffered(sys.stderr)
    requests = _set_up_logging()
    try:
        handler = load(handler_name)
    except Fault as fault:
        _refuse(connection, _error(fault.error_type, str(fault), trace=fault.trace))
    except Exception as problem:
        _refuse(connection, _error(type(problem).__name__, str(problem), trace=_trace(problem)))
    loaded()
    while True:
        headers, body = connection.next()
        requests.request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        _serve(connection, handler, headers, body)


def load(name: str) -> Any:
    """`module.function`, where slashes part packages as dots do."""
    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        message = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", message)
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as problem:
        message = f"Unable to import module '{module_name}': {problem}"
        raise Fault("Runtime.ImportModuleError", message) from problem
    except SyntaxError as problem:
        message = f"Syntax error in module '{module_name}': {problem}"
        place = f'  File "{problem.filename}" Line {problem.lineno}\n    {problem.text}'
        raise Fault("Runtime.UserCodeSyntaxError", message, [place]) from problem
    try:
        return getattr(module, attribute)
    except AttributeError:
        message = f"Handler '{attribute}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", message) from None


def _serve(connection: Any, handler: Any, headers: dict[str, str], body: bytes) -> None:
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        try:
            event = json.loads(body)
        except ValueError as problem:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {problem}") from None
        result, content_type = _marshal(handler(event, LambdaContext(headers)))
    except Fault as fault:
        error = _error(fault.error_type, str(fault), request_id, fault.trace)
    except Exception as problem:
        error = _error(type(problem).__name__, str(problem), request_id, _trace(problem))
    else:
        connection.respond(request_id, result, content_type)
        return
    _log_error(error)
    connection.fail(request_id, _dump(error))


def _marshal(result: object) -> tuple[bytes, str]:
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return json.dumps(result, allow_nan=False, default=_number).encode(), "application/json"
    except Exception as problem:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {problem}") from None


def _number(value: object) -> object:
    if isinstance(value, decimal.Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _error(error_type: str, message: str, request_id: str = "", trace: Sequence[str] = ()) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": list(trace)}


def _trace(problem: BaseException) -> list[str]:
    """Frames of the handler's own code: ours, at the outer end, are left away."""
    frames = list(traceback.extract_tb(problem.__traceback__))
    while frames and frames[0].filename == __file__:
        del frames[0]
    return traceback.format_list(frames)


def _log_error(error: dict[str, Any]) -> None:
    """One line in the pipe, hence one log event: breaks inside it are carriage returns."""
    lines = ["[ERROR] {}: {}".format(error["errorType"], error["errorMessage"]), "Traceback (most recent call last):"]
    for frame in error["stackTrace"]:
        for line in frame.splitlines():
            stripped = line.lstrip(" ")
            lines.append(NBSP * (len(line) - len(stripped)) + stripped)
    sys.stdout.write("\r".join(lines) + "\n")


def _refuse(connection: Any, error: dict[str, Any]) -> None:
    _log_error(error)
    connection.fail_init(_dump(error))
    sys.exit(1)


def _set_up_logging() -> RequestFilter:
    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    requests = RequestFilter()
    handler.addFilter(requests)
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        root.setLevel(level)
    return requests


def _filled(kind: Any, values: Any) -> Any:
    if values is None:
        return None
    made = kind()
    for name in kind.__slots__:
        setattr(made, name, values.get(name))
    return made


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()
