"""`code/inference.py`: model_fn, input_fn, predict_fn, output_fn, transform_fn, as `sagemaker-inference` 1.10.1 does.

What a script sees is that toolkit under its model server: the handlers that are missing have the same defaults,
a handler may take one argument more (the context), text bodies arrive as `str`, `Accept: */*` becomes the default
of the environment, and an error is answered with its message and its traceback. One thing differs: the default
`input_fn` reads NPY and NPZ without unpickling.
"""

from __future__ import annotations

import http
import importlib
import importlib.util
import io
import json
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from itertools import chain, islice
from pathlib import Path
from types import GeneratorType, ModuleType
from typing import Any

import numpy as np

from alight.endpoints.contract import CannotServe, Reply, Request
from alight.endpoints.formats import SCRIPT_NAME

JSON, CSV, NPY, NPZ, ANY = "application/json", "text/csv", "application/x-npy", "application/x-npz", "*/*"
DEFAULT_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
Function = Callable[..., Any]


class UnsupportedFormatError(Exception):
    """A content type that the defaults cannot read or write."""

    def __init__(self, content_type: Any) -> None:
        super().__init__(
            f"Content type {content_type} is not supported by this framework.\n"
            "An input_fn of the script's own can read it, an output_fn can write it."
        )


class RequestProcessor:
    """One request as the handlers see it through `context.request_processor[0]`."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        self._status, self._phrase = 200, None
        self._answer_headers: dict[str, str] = {}

    def get_request_properties(self) -> dict[str, str]:
        return self._headers

    def get_request_property(self, key: str) -> str | None:
        return self._headers.get(key)

    def report_status(self, code: int, reason_phrase: Any = None) -> None:
        self._status, self._phrase = code, reason_phrase

    def get_response_status_code(self) -> int:
        return self._status

    def get_response_status_phrase(self) -> Any:
        return self._phrase

    def add_response_property(self, key: str, value: str) -> None:
        self._answer_headers[key] = value

    def get_response_header(self) -> dict[str, str]:
        return self._answer_headers

    def get_response_headers(self) -> dict[str, str]:
        return self._answer_headers


@dataclass(slots=True)
class Context:
    """The object that handlers with one argument more are given; one for the life of the model."""

    system_properties: dict[str, Any]
    model_name: str = "model"
    manifest: dict[str, Any] = field(default_factory=dict)
    request_ids: dict[int, str] = field(default_factory=dict)
    request_processor: list[RequestProcessor] = field(default_factory=list)
    metrics: Any = None

    def get_request_id(self, idx: int = 0) -> str | None:
        return self.request_ids.get(idx)

    def get_request_header(self, idx: int, key: str) -> str | None:
        return self.request_processor[idx].get_request_property(key)

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.request_processor[idx].add_response_property("content-type", value)

    def get_response_content_type(self, idx: int) -> str | None:
        return self.request_processor[idx].get_response_header().get("content-type")

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.request_processor[idx].add_response_property(key, value)

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.request_processor[idx].report_status(code, reason_phrase=phrase)

    def get_response_status(self, idx: int) -> tuple[int, Any]:
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()


@dataclass(frozen=True, slots=True)
class Handlers:
    """The functions that serve, given or default."""

    model_fn: Function
    transform_fn: Function | None
    input_fn: Function
    predict_fn: Function
    output_fn: Function
    pre_model_fn: Function | None
    model_warmup_fn: Function | None


class ScriptModel:
    """See the module; used from one thread, the replica's main thread."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._default_accept = environment.get(DEFAULT_ACCEPT, JSON)
        self._context = Context(
            {"model_dir": str(folder), "gpu_id": None, "batch_size": 1, "server_name": "Alight", "server_version": "1"}
        )
        self._handlers = handlers(_module(folder, environment))
        self._model: Any = None

    @classmethod
    def open(cls, folder: Path, environment: Mapping[str, str]) -> ScriptModel:
        """Import the script and load its model. Raises `CannotServe` with the script's own error."""
        try:
            made = cls(folder, environment)
            made._load()
        except Exception as error:  # the user's code may raise anything
            traceback.print_exc()
            raise CannotServe(f"{type(error).__name__}: {str(error).strip()}") from error
        return made

    def _load(self) -> None:
        given = self._handlers
        if given.pre_model_fn is not None:
            self._run(given.pre_model_fn, str(self._folder))
        self._model = self._run(given.model_fn, str(self._folder))
        if given.model_warmup_fn is not None:
            self._run(given.model_warmup_fn, str(self._folder), self._model)

    def answer(self, request: Request) -> Reply:
        processor = RequestProcessor(request.headers)
        self._context.request_processor = [processor]
        try:
            body, content_type = self._transform(request)
            self._context.set_response_content_type(0, content_type)
            status = processor.get_response_status_code()
            if isinstance(body, GeneratorType):
                # Up to its first part it may still fail as an answer does.
                parts = map(_to_bytes, chain(list(islice(body, 1)), body))
                return Reply(b"", content_type or JSON, status, _extra_headers(processor), parts)
            return Reply(_to_bytes(body), content_type or JSON, status, _extra_headers(processor))
        except Exception as error:  # the user's code may raise anything
            status, message = _status_of(error)
            return Reply(f"{message}\n{traceback.format_exc()}".encode(), "text/plain", status)

    def _transform(self, request: Request) -> tuple[Any, Any]:
        accept = request.accept if request.accept and request.accept != ANY else self._default_accept
        data: Any = request.body
        if request.content_type in (JSON, CSV):
            data = request.body.decode("utf-8")
        if self._handlers.transform_fn is not None:
            result = self._run(self._handlers.transform_fn, self._model, data, request.content_type, accept)
        else:
            loaded = self._run(self._handlers.input_fn, data, request.content_type)
            prediction = self._run(self._handlers.predict_fn, loaded, self._model)
            result = self._run(self._handlers.output_fn, prediction, accept)
        return (result[0], result[1]) if isinstance(result, tuple) else (result, accept)

    def _run(self, function: Function, *given: Any) -> Any:
        """Call a handler with the context where it has one parameter more than the contract's."""
        wants = len(signature(function).parameters)
        if wants == len(given):
            return function(*given)
        if wants == len(given) + 1:
            return function(*given, self._context)
        raise TypeError(f"{function.__name__} takes {wants} arguments but {len(given)} were given.")


def handlers(module: ModuleType | None) -> Handlers:
    """The script's functions, with defaults for those it lacks. Raises `ValueError` for a mixture that is forbidden."""

    def of(name: str, default: Function | None = None) -> Any:
        return getattr(module, name, default)

    parts = (of("input_fn"), of("predict_fn"), of("output_fn"))
    if of("transform_fn") and any(parts):
        raise ValueError(
            "Cannot use transform_fn implementation in conjunction with "
            "input_fn, predict_fn, and/or output_fn implementation"
        )
    return Handlers(
        model_fn=of("model_fn", default_model_fn),
        transform_fn=of("transform_fn") or None,
        input_fn=parts[0] or default_input_fn,
        predict_fn=parts[1] or default_predict_fn,
        output_fn=parts[2] or default_output_fn,
        pre_model_fn=of("pre_model_fn"),
        model_warmup_fn=of("model_warmup_fn"),
    )


def default_model_fn(model_dir: str) -> Any:
    raise NotImplementedError(_please("model_fn"))


def default_predict_fn(data: Any, model: Any) -> Any:
    raise NotImplementedError(_please("predict_fn"))


def default_input_fn(data: Any, content_type: Any) -> Any:
    """JSON, CSV, NPY -> array; NPZ -> sparse matrix."""
    match content_type:
        case "application/json":
            return np.array(json.loads(data))
        case "text/csv":
            return np.genfromtxt(io.StringIO(data), dtype=None, delimiter=",")
        case "application/x-npy":
            return np.load(io.BytesIO(data), allow_pickle=False)
        case "application/x-npz":
            return importlib.import_module("scipy.sparse").load_npz(io.BytesIO(data))
    raise UnsupportedFormatError(content_type)


def default_output_fn(prediction: Any, accept: str) -> tuple[Any, str]:
    """The first type of `accept` that can be written: JSON, CSV or NPY."""
    for content_type in accept.replace(" ", "").split(","):
        if content_type == JSON:
            return json.dumps(prediction, default=_listed), JSON
        if content_type == CSV:
            return _csv(prediction), CSV
        if content_type == NPY:
            buffer = io.BytesIO()
            np.save(buffer, prediction, allow_pickle=False)
            return buffer.getvalue(), NPY
    raise UnsupportedFormatError(accept)


def _module(folder: Path, environment: Mapping[str, str]) -> ModuleType | None:
    """Import the script by its name with `code/` first on the path, so that it can import its neighbours."""
    program = environment.get(SCRIPT_NAME) or "inference.py"
    name = program.removesuffix(".py")
    sys.path.insert(0, str(folder / "code"))
    return importlib.import_module(name) if importlib.util.find_spec(name) is not None else None


def _please(name: str) -> str:
    return f"Please provide a {name} implementation."


def _listed(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return json.JSONEncoder().default(value)


def _csv(prediction: Any) -> str:
    stream = io.StringIO()
    np.savetxt(stream, prediction, delimiter=",", fmt="%s")
    return stream.getvalue()


def _to_bytes(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    return json.dumps(body, indent=2).encode()


def _extra_headers(processor: RequestProcessor) -> dict[str, str]:
    return {name: value for name, value in processor.get_response_header().items() if name.lower() != "content-type"}


def _status_of(error: Exception) -> tuple[int, str]:
    """The toolkit's own error class says its status; it is known by its name, since each script brings its own."""
    if any(kind.__name__ == "BaseInferenceToolkitError" for kind in type(error).__mro__):
        return int(getattr(error, "status_code", 500)), str(getattr(error, "message", error))
    return http.HTTPStatus.INTERNAL_SERVER_ERROR, str(error) or "Invalid Request"
